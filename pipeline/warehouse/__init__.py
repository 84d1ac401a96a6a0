"""Where rows are kept: the protocol, the only module that makes SQL, and the warehouses."""
