"""Programs that open what firth writes."""
