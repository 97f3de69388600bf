"""HTTP itself: middleware, problems, descriptions, ids."""
