"""An office whose own telephone system makes the CRM's calls."""
