"""The whole loop played on recorded traffic, by the verbs that the commands call."""
