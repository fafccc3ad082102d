"""The permanent recorder of a port: one reader, a log on disk, as many watchers as wanted."""
