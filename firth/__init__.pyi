from firth.budget import Report as Report
from firth.collocations import learn_phrases as learn_phrases
from firth.contexts import extract_to as extract_to
from firth.contexts import read_extracted as read_extracted
from firth.demonstration import demonstrate as demonstrate
from firth.errors import FirthError as FirthError
from firth.errors import UnknownWordError as UnknownWordError
from firth.errors import UsageError as UsageError
from firth.evaluation import evaluate_analogies as evaluate_analogies
from firth.evaluation import evaluate_pairs as evaluate_pairs
from firth.extraction import extract as extract
from firth.families.bert import BERT as BERT
from firth.families.cbow import CBOW as CBOW
from firth.families.elmo import ELMo as ELMo
from firth.families.glove import GloVe as GloVe
from firth.families.gpt import GPT as GPT
from firth.families.skipgram import Skipgram as Skipgram
from firth.findings import Inspection as Inspection
from firth.inspection import check as check
from firth.model import Model as Model
from firth.model import load as load
from firth.phrases import Phrases as Phrases
from firth.preparation import Preparation as Preparation
from firth.segmentation import Segmentation as Segmentation
from firth.shards import count as count
from firth.training import train as train
from firth.vectors import Vectors as Vectors
from firth.vectors import convert as convert
from firth.vocabulary import Vocabulary as Vocabulary

__version__: str
__all__: list[str]
