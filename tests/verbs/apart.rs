//! What a saved plan has decided, what a target takes along, what a name that nobody knows leads to.
