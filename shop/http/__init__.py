"""What every route shares: JSON, problems, paging, conditions, request ids, idempotency."""
