"""A shop: its own table of orders, and the CRM inside, on one PostgreSQL."""
