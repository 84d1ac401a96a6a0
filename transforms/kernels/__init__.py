"""Pure functions of Arrow and NumPy data that compute the features. No Beam, no clock, no file."""
