"""The two packages and what they need at run time; everything else stands in pyproject.toml.

The versions are exact, and those of ``requirements/run.lock``: a job is made by one installation and runs
in others, so all of them must be the same. Beam's is also the tag of the image in ``templates/Dockerfile``.
"""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["pipeline", "pipeline.*", "transforms", "transforms.*"]),
    install_requires=[
        "apache-beam[gcp]==2.77.0",
        "duckdb==2.0.0",
        "google-api-core==2.44.0",
        "google-auth==2.62.2",
        "google-cloud-bigquery==3.47.0",
        "google-cloud-bigquery-storage==2.43.0",
        "google-cloud-dataflow-client==0.13.0",
        "google-cloud-storage==3.17.1",
        "numpy==2.4.6",
        "psutil==7.2.2",
        "pyarrow==25.0.1",
        "rich==15.0.0",
        "shtab==1.13.0",
        "sqlglot==30.30.0",
        "tzdata==2026.6",
    ],
)
