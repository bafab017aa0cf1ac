"""External APIs turned into observations; nothing here touches the store."""
