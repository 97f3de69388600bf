"""Deliveries: from the outbox to the receivers, through the guard."""
