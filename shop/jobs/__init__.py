"""Work that takes longer than a request may: started by a request, done by workers, watched."""
