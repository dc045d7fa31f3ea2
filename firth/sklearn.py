"""firth among scikit-learn's estimators: vectors as transformers, models with a head as what answers.

WordVectorizer     texts as means of their words' vectors
ContextVectorizer  texts as what a network makes of them
FirthClassifier    texts, or pairs of them, to their classes
FirthTagger        words to their tags
"""

from firth.estimators import FirthClassifier, FirthTagger
from firth.vectorizers import ContextVectorizer, InputError, WordVectorizer

__all__ = ["ContextVectorizer", "FirthClassifier", "FirthTagger", "InputError", "WordVectorizer"]
