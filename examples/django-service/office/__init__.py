"""An office: Django's own users and pages, and the CRM inside."""
