"""The page that shows models, and its JSON API: `firth serve`."""
