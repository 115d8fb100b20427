"""How long the record of our own work is kept, and erasing a person."""
