"""Documents as PDF: invoices, packing slips, credit notes."""
