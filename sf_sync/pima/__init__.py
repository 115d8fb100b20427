"""The PIMA forms of the coffee programmes: mappings, code lists, and what no mapping language should carry."""
