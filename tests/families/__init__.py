"""A package, since tests/formats has a test_word2vec.py too."""
