"""The papers that a comparison rests on, as BibTeX entries."""

from typing import Final

BY_FAMILY: Final = {
    "skipgram": ("mikolov2013a", "mikolov2013b"),
    "cbow": ("mikolov2013a", "mikolov2013b"),
    "glove": ("pennington2014",),
    "elmo": ("peters2018",),
    "gpt": ("radford2018",),
    "bert": ("devlin2019",),
}
"""The papers of each family."""

BY_SET: Final = {
    "wordsim353": "finkelstein2002",
    "simlex999": "hill2015",
    "men": "bruni2014",
    "rw": "luong2013",
    "rg65": "rubenstein1965",
    "google": "mikolov2013a",
    "scws": "huang2012",
    "wic": "pilehvar2019",
    "8-8-8": "camacho2016",
    "ca8": "li2018",
    "wordsim240": "chen2015",
    "wordsim297": "chen2015",
    "sst2": "socher2013",
    "ud-ewt": "silveira2014",
    "wnut17": "derczynski2017",
    "mrpc": "dolan2005",
    "trec6": "li2002",
}
"""The paper that each set comes from, or that published it in the form that is used."""

BY_MEASURE: Final = {
    "3cosadd": "mikolov2013c",
    "3cosmul": "levy2014",
    "avgsimc": "reisinger2010",
    "pseudo_perplexity": "salazar2020",
}
"""The paper that a method or a measure comes from."""

ALWAYS: Final = ("efron1979", "holm1979")
"""Those of the intervals and of the correction for many tests."""

ENTRIES: Final = {
    "mikolov2013a": """@misc{mikolov2013a,
  author = {Mikolov, Tomas and Chen, Kai and Corrado, Greg and Dean, Jeffrey},
  title = {Efficient Estimation of Word Representations in Vector Space},
  year = {2013},
  eprint = {1301.3781},
  archivePrefix = {arXiv}
}""",
    "mikolov2013b": """@inproceedings{mikolov2013b,
  author = {Mikolov, Tomas and Sutskever, Ilya and Chen, Kai and Corrado, Greg S. and Dean, Jeffrey},
  title = {Distributed Representations of Words and Phrases and their Compositionality},
  booktitle = {Advances in Neural Information Processing Systems 26},
  pages = {3111--3119},
  year = {2013}
}""",
    "mikolov2013c": """@inproceedings{mikolov2013c,
  author = {Mikolov, Tomas and Yih, Wen-tau and Zweig, Geoffrey},
  title = {Linguistic Regularities in Continuous Space Word Representations},
  booktitle = {Proceedings of NAACL-HLT 2013},
  pages = {746--751},
  year = {2013}
}""",
    "pennington2014": """@inproceedings{pennington2014,
  author = {Pennington, Jeffrey and Socher, Richard and Manning, Christopher D.},
  title = {{GloVe}: Global Vectors for Word Representation},
  booktitle = {Proceedings of EMNLP 2014},
  pages = {1532--1543},
  year = {2014}
}""",
    "bojanowski2017": """@article{bojanowski2017,
  author = {Bojanowski, Piotr and Grave, Edouard and Joulin, Armand and Mikolov, Tomas},
  title = {Enriching Word Vectors with Subword Information},
  journal = {Transactions of the Association for Computational Linguistics},
  volume = {5},
  pages = {135--146},
  year = {2017}
}""",
    "peters2018": """@inproceedings{peters2018,
  author = {Peters, Matthew E. and Neumann, Mark and Iyyer, Mohit and Gardner, Matt and Clark, Christopher
            and Lee, Kenton and Zettlemoyer, Luke},
  title = {Deep Contextualized Word Representations},
  booktitle = {Proceedings of NAACL-HLT 2018},
  pages = {2227--2237},
  year = {2018}
}""",
    "radford2018": """@techreport{radford2018,
  author = {Radford, Alec and Narasimhan, Karthik and Salimans, Tim and Sutskever, Ilya},
  title = {Improving Language Understanding by Generative Pre-Training},
  institution = {OpenAI},
  year = {2018}
}""",
    "devlin2019": """@inproceedings{devlin2019,
  author = {Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina},
  title = {{BERT}: Pre-training of Deep Bidirectional Transformers for Language Understanding},
  booktitle = {Proceedings of NAACL-HLT 2019},
  pages = {4171--4186},
  year = {2019}
}""",
    "bommasani2020": """@inproceedings{bommasani2020,
  author = {Bommasani, Rishi and Davis, Kelly and Cardie, Claire},
  title = {Interpreting Pretrained Contextualized Representations via Reductions to Static Embeddings},
  booktitle = {Proceedings of ACL 2020},
  pages = {4758--4781},
  year = {2020}
}""",
    "levy2014": """@inproceedings{levy2014,
  author = {Levy, Omer and Goldberg, Yoav},
  title = {Linguistic Regularities in Sparse and Explicit Word Representations},
  booktitle = {Proceedings of CoNLL 2014},
  pages = {171--180},
  year = {2014}
}""",
    "finkelstein2002": """@article{finkelstein2002,
  author = {Finkelstein, Lev and Gabrilovich, Evgeniy and Matias, Yossi and Rivlin, Ehud and Solan, Zach
            and Wolfman, Gadi and Ruppin, Eytan},
  title = {Placing Search in Context: The Concept Revisited},
  journal = {ACM Transactions on Information Systems},
  volume = {20},
  number = {1},
  pages = {116--131},
  year = {2002}
}""",
    "hill2015": """@article{hill2015,
  author = {Hill, Felix and Reichart, Roi and Korhonen, Anna},
  title = {{SimLex-999}: Evaluating Semantic Models with (Genuine) Similarity Estimation},
  journal = {Computational Linguistics},
  volume = {41},
  number = {4},
  pages = {665--695},
  year = {2015}
}""",
    "bruni2014": """@article{bruni2014,
  author = {Bruni, Elia and Tran, Nam-Khanh and Baroni, Marco},
  title = {Multimodal Distributional Semantics},
  journal = {Journal of Artificial Intelligence Research},
  volume = {49},
  pages = {1--47},
  year = {2014}
}""",
    "luong2013": """@inproceedings{luong2013,
  author = {Luong, Minh-Thang and Socher, Richard and Manning, Christopher D.},
  title = {Better Word Representations with Recursive Neural Networks for Morphology},
  booktitle = {Proceedings of CoNLL 2013},
  pages = {104--113},
  year = {2013}
}""",
    "rubenstein1965": """@article{rubenstein1965,
  author = {Rubenstein, Herbert and Goodenough, John B.},
  title = {Contextual Correlates of Synonymy},
  journal = {Communications of the ACM},
  volume = {8},
  number = {10},
  pages = {627--633},
  year = {1965}
}""",
    "camacho2016": """@inproceedings{camacho2016,
  author = {Camacho-Collados, Jos{\\'e} and Navigli, Roberto},
  title = {Find the Word that Does Not Belong: A Framework for an Intrinsic Evaluation of Word Vector Representations},
  booktitle = {Proceedings of the 1st Workshop on Evaluating Vector-Space Representations for {NLP}},
  pages = {43--50},
  year = {2016}
}""",
    "huang2012": """@inproceedings{huang2012,
  author = {Huang, Eric H. and Socher, Richard and Manning, Christopher D. and Ng, Andrew Y.},
  title = {Improving Word Representations via Global Context and Multiple Word Prototypes},
  booktitle = {Proceedings of ACL 2012},
  pages = {873--882},
  year = {2012}
}""",
    "reisinger2010": """@inproceedings{reisinger2010,
  author = {Reisinger, Joseph and Mooney, Raymond J.},
  title = {Multi-Prototype Vector-Space Models of Word Meaning},
  booktitle = {Proceedings of NAACL-HLT 2010},
  pages = {109--117},
  year = {2010}
}""",
    "pilehvar2019": """@inproceedings{pilehvar2019,
  author = {Pilehvar, Mohammad Taher and Camacho-Collados, Jose},
  title = {{WiC}: the Word-in-Context Dataset for Evaluating Context-Sensitive Meaning Representations},
  booktitle = {Proceedings of NAACL-HLT 2019},
  pages = {1267--1273},
  year = {2019}
}""",
    "salazar2020": """@inproceedings{salazar2020,
  author = {Salazar, Julian and Liang, Davis and Nguyen, Toan Q. and Kirchhoff, Katrin},
  title = {Masked Language Model Scoring},
  booktitle = {Proceedings of ACL 2020},
  pages = {2699--2712},
  year = {2020}
}""",
    "li2018": """@inproceedings{li2018,
  author = {Li, Shen and Zhao, Zhe and Hu, Renfen and Li, Wensi and Liu, Tao and Du, Xiaoyong},
  title = {Analogical Reasoning on {C}hinese Morphological and Semantic Relations},
  booktitle = {Proceedings of ACL 2018},
  pages = {138--143},
  year = {2018}
}""",
    "chen2015": """@inproceedings{chen2015,
  author = {Chen, Xinxiong and Xu, Lei and Liu, Zhiyuan and Sun, Maosong and Luan, Huanbo},
  title = {Joint Learning of Character and Word Embeddings},
  booktitle = {Proceedings of IJCAI 2015},
  pages = {1236--1242},
  year = {2015}
}""",
    "socher2013": """@inproceedings{socher2013,
  author = {Socher, Richard and Perelygin, Alex and Wu, Jean and Chuang, Jason and Manning, Christopher D.
            and Ng, Andrew and Potts, Christopher},
  title = {Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank},
  booktitle = {Proceedings of EMNLP 2013},
  pages = {1631--1642},
  year = {2013}
}""",
    "silveira2014": """@inproceedings{silveira2014,
  author = {Silveira, Natalia and Dozat, Timothy and de Marneffe, Marie-Catherine and Bowman, Samuel and Connor, Miriam
            and Bauer, John and Manning, Christopher D.},
  title = {A Gold Standard Dependency Corpus for {E}nglish},
  booktitle = {Proceedings of LREC 2014},
  year = {2014}
}""",
    "derczynski2017": """@inproceedings{derczynski2017,
  author = {Derczynski, Leon and Nichols, Eric and van Erp, Marieke and Limsopatham, Nut},
  title = {Results of the {WNUT2017} Shared Task on Novel and Emerging Entity Recognition},
  booktitle = {Proceedings of the 3rd Workshop on Noisy User-generated Text},
  pages = {140--147},
  year = {2017}
}""",
    "dolan2005": """@inproceedings{dolan2005,
  author = {Dolan, William B. and Brockett, Chris},
  title = {Automatically Constructing a Corpus of Sentential Paraphrases},
  booktitle = {Proceedings of the Third International Workshop on Paraphrasing},
  year = {2005}
}""",
    "li2002": """@inproceedings{li2002,
  author = {Li, Xin and Roth, Dan},
  title = {Learning Question Classifiers},
  booktitle = {Proceedings of COLING 2002},
  year = {2002}
}""",
    "efron1979": """@article{efron1979,
  author = {Efron, Bradley},
  title = {Bootstrap Methods: Another Look at the Jackknife},
  journal = {The Annals of Statistics},
  volume = {7},
  number = {1},
  pages = {1--26},
  year = {1979}
}""",
    "holm1979": """@article{holm1979,
  author = {Holm, Sture},
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  journal = {Scandinavian Journal of Statistics},
  volume = {6},
  number = {2},
  pages = {65--70},
  year = {1979}
}""",
}
"""By key."""
