"""The only door to a CommCare project space: requests, errors, forms."""
