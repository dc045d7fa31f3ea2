"""What a report says, in English and in Chinese."""

# ruff: noqa: E501 - a phrase and what it is in Chinese stand in one line where they can

import re
from collections.abc import Mapping
from typing import Final, Protocol

from firth.errors import UsageError
from firth.files import printable


class Say(Protocol):
    """A phrase in the language of the report, with what stands in its places."""

    def __call__(self, phrase: str, **values: object) -> str:
        """The phrase."""


LANGUAGES: Final[Mapping[str, str]] = {"en": "en", "zh": "zh-CN"}
"""The languages of a report, and their names in HTML."""


def speaker(lang: str) -> Say:
    """What says phrases, which are written in English, in a language.

    Raises:
        UsageError: another language than `en` and `zh`.
    """
    if lang not in LANGUAGES:
        raise UsageError(f"a report is written in {' or '.join(LANGUAGES)}; {printable(lang)} was asked for")
    known = CHINESE if lang == "zh" else None

    def say(phrase: str, **values: object) -> str:
        return (phrase if known is None else known[phrase]).format(**values)

    return say


MADE: Final = (
    # models, seeds and what failed
    "{name}, seed {seed}, {of}",
    "{name}, seed {seed}",
    "{where} was left out: {why}",
    "{where} failed ({work}): {why}",
    "{where}: no language measure: {why}",
    "the text is too small to hold a part of it out: there is no language measure",
    "no evaluation set was given or found: words are not scored",
    "not all models know {words}: their neighbours are not shown",
    "{set}: none of its {n} questions has only words that all models know",
    "{where}, has vectors of {n} of the {n_all} words alone, and is not scored by words",
    "{where}: the model is gone, and its grades are missing, damaged or of other sets: it is not scored by words",
    "{where}: the model is gone, and other neighbours are asked for than it was asked for: they are not shown",
    "{n} of {n_all} seeds are done so far, and the report is of these",
    # why
    "preparing counts, and takes nearly all of {n} minutes",
    "its process ended with signal {n}",
    "its process ended with signal {n}; as a rule, because the memory was full",
    "its process ended with status {n}",
    "its process ended with status {n}; as a rule, because the memory was full",
    "not enough memory: {error}",
    "it knows none of the words that the comparison is about",
    "there is no text to measure a language model on",
    "there are no words to hide in the text",
    "the text is too small to hold a part of it out; settings are chosen by --dev FILE then",
    "the held-out documents have no two words beside each other that the model knows",
    # how layers were chosen
    "one half of the items, seed {seed}; scored on the other",
    # methods
    "The same {n} documents ({n_bytes} bytes, drawn by the seed) were held out of all trainings; of the rest, ELMo, GPT and "
    "BERT set half a percent aside to watch their own loss.",
    "All scores are of the {n} words that every model knows, cut by one segmentation ({method}): the {top} most frequent and "
    "those that the sets ask for, of words that occur {least} times.",
    "Sizes: ELMo, GPT and BERT the largest preset that sees one token for each weight of its blocks within the budget at the "
    "speed measured here, of no more than 16 passes over the text; the others 100 dimensions, unless told.",
    "GloVe counts the first {n} words of the text alone, and passes {passes} times over the counts.",
    "Static vectors of a network's layers are means over at most {n} contexts of a word, read in about a tenth of the budget "
    "beside it; while it trains, over {n_training}, of the last layer but one.",
    "Bits per byte are of the held-out documents; what a vocabulary lacks is charged for as spelt out at 8 bits a byte. BERT's "
    "pseudo-perplexity is of {n} words drawn by the seed, each hidden with the rest of its pieces.",
    "Each variant was tried with {n} settings, {share} of the budget each, chosen on {how}; never on the sets that are reported.",
    "Behind every model stands the same head for a task: a CNN over words, trained for {epochs} passes at most, of batches of "
    "{batch}, and no more than {patience} without a better score on dev. Probes and tasks are of the first seed alone: their "
    "differences hold for other examples, not for other trainings.",
    "a development file of word pairs",
    "the held-out documents, of ELMo, GPT and BERT on the part of the text that they set aside",
)
"""The sentences of a report.json and their parts, which is written in English whatever the language of the page."""

_WITHIN: Final = ("where", "why", "how")  # what stands there may be such a sentence itself


def retold(sentence: str, say: Say) -> str:
    """A sentence of a report.json in the language of the report; one that is not among `MADE`, as it is.

    So stay the messages of errors, of which there are too many.
    """
    for phrase, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(sentence):
            told = {name: retold(part, say) if name in _WITHIN else part for name, part in match.groupdict().items()}
            return say(phrase, **told)
    return sentence


def _pattern(phrase: str) -> re.Pattern[str]:
    literal = re.escape(phrase).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", literal), re.DOTALL)


_PATTERNS: Final = {phrase: _pattern(phrase) for phrase in sorted(MADE, key=len, reverse=True)}  # the narrowest first


CHINESE: Final[Mapping[str, str]] = {
    # joints of sentences
    " ": "",
    ", ": "、",
    ".": "。",
    "; ": "；",
    "{most} and {last}": "{most} 和 {last}",
    "{set}: {leaders}": "{set}：{leaders}",
    "{leaders}, then {other}": "{leaders}，其次 {other}",
    "{n} more": "另外 {n} 个",
    "and {n} sets more": "另有 {n} 个测试集",
    "{name} ({details})": "{name}（{details}）",
    "{name}, {details}": "{name}，{details}",
    "{use} ({set})": "{use}（{set}）",
    "{n} words": "{n} 个词",
    # the answer
    "{families}, each trained on {corpus} {budget}{seeds}.": "比较了 {families}，每个模型都在 {corpus} 上{budget}{seeds}。",
    "Nothing could be compared on {corpus}.": "在 {corpus} 上没有可比较的模型。",
    "one corpus": "同一语料",
    "for {n} minutes": "训练 {n} 分钟",
    "for {n} minute": "训练 {n} 分钟",
    "for {n} words": "训练 {n} 个词",
    "with one budget": "以相同预算训练",
    " with {n} seeds": "，{n} 个随机种子",
    " with one seed": "，一个随机种子",
    "For {use}, only {name} was measured, so that nothing is compared.": "用于{use}：只测量了 {name}，无从比较。",
    "For {use}, nothing is compared: each was measured by another number ({numbers}).": (
        "用于{use}：各用不同的指标测量，无从比较（{numbers}）。"
    ),
    "Nothing was scored that would tell which of them to take.": "没有得出可据以选择的得分。",
    "In short, {choices}.": "简言之，{choices}。",
    "for {use}: {names}": "{use}：{names}",
    " or ": " 或 ",
    "In short, nothing here tells one from another; more minutes, more text or larger sets may.": (
        "简言之，这里没有什么能区分它们；更长的训练、更多文本或更大的测试集也许可以。"
    ),
    "For {use}, no difference could be shown between {names} ({numbers}).": "用于{use}：{names} 之间没有显示出差别（{numbers}）。",
    "For {use}, take {name} ({numbers})": "用于{use}：选 {name}（{numbers}）",
    "; it is not alone in front on {sets}": "；在 {sets} 上与他者并列",
    "For {use}, {name} is never measurably behind, but never alone in front either ({numbers}).": (
        "用于{use}：{name} 从未明显落后，但也从未单独领先（{numbers}）。"
    ),
    "For {use}, {names} are a tie, ahead of the others ({numbers}).": "用于{use}：{names} 不分高下，领先其余模型（{numbers}）。",
    "For {use}, it depends on the set: {numbers}.": "用于{use}：因测试集而异：{numbers}。",
    " Of these {name} takes the least disk space ({size}).": "其中 {name} 占用磁盘最少（{size}）。",
    " The difference of {names} from the best was not tested.": "{names} 与最佳者的差别未经检验。",
    "For {use}, {name} has the best number ({numbers}); whether that is chance was not tested.": (
        "用于{use}：{name} 的数字最好（{numbers}），是否出于偶然未经检验。"
    ),
    "What it costs": "成本",
    " On {sets} none is shown to be better than the random table.": "在 {sets} 上没有模型被证明优于随机表。",
    # uses
    "neighbours and word similarity": "近邻与词语相似度",
    "analogies": "类比",
    "finding the word that does not belong": "找出不合群的词",
    "grouping words into categories": "词语归类",
    "the meaning of a word in its context": "语境中的词义",
    "language modelling": "语言建模",
    "tagging, by a linear probe": "序列标注（线性探针）",
    "classifying texts, by a linear probe": "文本分类（线性探针）",
    "pairs of texts, by a linear probe": "文本对（线性探针）",
    "tagging, with the vectors as they are": "序列标注（词向量不变）",
    "classifying texts, with the vectors as they are": "文本分类（词向量不变）",
    "pairs of texts, with the vectors as they are": "文本对（词向量不变）",
    "tagging, fine-tuned": "序列标注（微调）",
    "classifying texts, fine-tuned": "文本分类（微调）",
    "pairs of texts, fine-tuned": "文本对（微调）",
    "tagging, from scratch": "序列标注（从头训练）",
    "classifying texts, from scratch": "文本分类（从头训练）",
    "pairs of texts, from scratch": "文本对（从头训练）",
    "a linear probe": "线性探针",
    "a task, with the vectors as they are": "下游任务（词向量不变）",
    "a task, fine-tuned": "下游任务（微调）",
    "a task, from scratch": "下游任务（从头训练）",
    # kinds and measures
    "similarity": "相似度",
    "analogy": "类比",
    "outliers": "离群词",
    "categories": "归类",
    "context": "语境",
    "probe": "探针",
    "use": "下游任务",
    "language": "语言模型",
    "Spearman's correlation": "斯皮尔曼相关系数",
    "accuracy": "准确率",
    "purity": "纯度",
    "outlier position": "离群词位置（OPP）",
    "F1": "F1",
    "bits per byte": "每字节比特数",
    "masked pseudo-perplexity": "掩码伪困惑度",
    "perplexity": "困惑度",
    "{measure}, less is better": "{measure}（越小越好）",
    # pictures
    "seeds {seeds}": "随机种子 {seeds}",
    "made again by: {command}": "重新生成：{command}",
    "{n} minutes a model": "每个模型 {n} 分钟",
    "{n} words a model": "每个模型 {n} 个词",
    "Scores, with 95% intervals": "得分与 95% 区间",
    "A point is the mean over seeds; a line holds 95% of bootstrap samples of the items. A ring marks the best, and what no "
    "test tells from it. An interval tells how sure one score is; whether two differ is a matter of their paired "
    "difference, in the table of differences.": (
        "点是各随机种子的平均值；线段包含对题目自助抽样的 95%。圆圈标出最佳者以及检验无法与之区分者。区间只说明单个得分的"
        "可靠程度；两者是否有差别要看差别表中的配对差值。"
    ),
    "Score while training": "训练过程中的得分",
    "The mean over seeds, with the least and the greatest seed as a band. At the same place on the axis all have had the same "
    "budget. Which one is ahead before the end is not tested.": (
        "各随机种子的平均值，色带为最小与最大值。横轴上同一位置表示预算相同。中途谁领先未经检验。"
    ),
    " On {set} all are scored by the same {n} pairs, of the words that they are scored by in the end.": (
        "在 {set} 上，所有模型都按相同的 {n} 个词对计分，它们由最终评分所用的词组成。"
    ),
    " Words that had not been met leave fewer, at the least: {names}.": "尚未遇到的词使一些模型的词对更少，最少时为：{names}。",
    " On {set}, {leader} overtakes {other} after {seconds} seconds.": "在 {set} 上，{leader} 在第 {seconds} 秒后超过 {other}。",
    "preparing is not counted": "准备时间不计",
    "Against": "横轴",
    "seconds of training": "训练秒数",
    "words read": "读过的词数",
    "score": "得分",
    "Loss while training": "训练过程中的损失",
    "Each model's loss is that of its own task, so that the heights of two panels cannot be compared: see whether a curve still "
    "falls when the budget ends.": "每个模型的损失属于各自的任务，因此不同图之间的高低不可比较；只看预算用完时曲线是否仍在下降。",
    "loss": "损失",
    "layer": "层",
    "Score by layer": "各层得分",
    "Layer 0 is the weight matrix behind the one-hot input. A model with one matrix is a level line. A ring is the layer that "
    "the tables speak of.": "第 0 层是 one-hot 输入之后的权重矩阵。只有一个矩阵的模型画成水平线。圆圈是各表所用的层。",
    " It was chosen by {how}.": "选择方式：{how}。",
    "seconds to its vectors": "得到向量的秒数",
    "parameters": "参数量",
    "MB on disk": "磁盘占用（MB）",
    "milliseconds a sentence": "每句毫秒数",
    "milliseconds a lookup": "每次查词毫秒数",
    "peak memory, MiB": "内存峰值（MiB）",
    "Cost against quality": "成本与质量",
    "Above and to the left is better: a higher score for less.": "越靠左上越好：以更少的成本得到更高的得分。",
    "To the left is cheaper; whether above or below is better stands at the axis.": "越靠左成本越低；纵轴注明越大还是越小为好。",
    "Quality by": "质量指标",
    "{name}.png was not made: no font on this machine has the characters {chars} (the Noto fonts have them). {name}.svg keeps "
    "them as text.": "未生成 {name}.png：本机没有包含 {chars} 等字符的字体（Noto 字体包含）。{name}.svg 把它们保留为文本。",
    # the page
    "Which family of word vectors for this corpus?": "这份语料该用哪一类词向量？",
    "Contents": "目录",
    "Models shown in the pictures": "图中显示的模型",
    " (other text)": "（其他语料）",
    "The answer": "结论",
    "All scores": "全部得分",
    "What the budget buys": "预算换来什么",
    "Layer by layer": "逐层比较",
    "Neighbours side by side": "近邻对照",
    "Differences and ties": "差别与并列",
    "Coverage": "覆盖率",
    "Settings and runs": "设置与运行",
    "For a paper": "写论文用",
    "Beside this page lie the same numbers and pictures as files:": "本页旁边有相同数字和图片的文件：",
    "Whatever stands above passed a test for the difference, corrected for the number of tests; what does not is called a tie.": (
        "以上所说的领先都通过了差别检验，并按检验次数作了校正；未通过的称为并列。"
    ),
    "What is missing": "缺少什么",
    "Every model on every set. Green: the best of those trained here, and what no test tells from it. Small: the layer.": (
        "每个模型在每个测试集上的得分。绿色：在此训练的模型中的最佳者，以及检验无法与之区分者。小字：所用的层。"
    ),
    "model": "模型",
    "for": "用途",
    "set": "测试集",
    "measure": "指标",
    "95% interval": "95% 区间",
    "seeds": "随机种子",
    "items known": "已知题目",
    "words": "词",
    "common": "共有",
    "own": "自身",
    "The mean over seeds. Common: over the words that all models know. A click on a column's name sorts by it.": (
        "各随机种子的平均值。共有：只计所有模型都认识的词。点击列名即可排序。"
    ),
    "What every run cost. Preparing: tokenisers, counting and compiling.": "每次运行的成本。准备：分词器、计数与编译。",
    "prepare, s": "准备（秒）",
    "train, s": "训练（秒）",
    "matrices, s": "矩阵（秒）",
    "measure, s": "测量（秒）",
    "seed": "随机种子",
    "words/s": "词/秒",
    "operations": "浮点运算",
    "peak MiB": "内存峰值 MiB",
    "on disk": "磁盘占用",
    "matrices on disk": "矩阵的磁盘占用",
    "ms/lookup": "毫秒/查词",
    "ms/sentence": "毫秒/句",
    "one": "甲",
    "other": "乙",
    "difference": "差值",
    "p, corrected": "校正后 p 值",
    "result": "结果",
    "tie": "并列",
    "{name} is ahead": "{name} 领先",
    "One minus other, on the same items. A tie is what chance alone may make, after Holm's correction for {n} tests.": (
        "甲减乙，题目相同。并列：经 Holm 法按 {n} 次检验校正后，仅凭偶然也可能出现的差别。"
    ),
    "items": "题目",
    "known": "已知",
    "share": "比例",
    "How many items of each set a model knows all words of.": "每个模型认识其中所有词的题目数。",
    "Word": "词",
    "all layers": "所有层",
    "Overlap of the neighbours of {word}": "“{word}”近邻的重合度",
    "Overlap, the mean over all {n} words": "重合度：全部 {n} 个词的平均",
    "Underlined words are neighbours in more than one model. The overlap is the share of words that two lists have in common, of all "
    "words in either.": "带下划线的词在不止一个模型中是近邻。重合度是两列共有的词占两列所有词的比例。",
    "rank": "名次",
    "family": "家族",
    "preset": "规模",
    "matrices": "矩阵数",
    "settings": "设置",
    "state": "状态",
    "saw other text": "见过其他语料",
    "done": "完成",
    "directories": "目录",
    "The models": "模型",
    "held-out": "留出集",
    "chosen": "选中",
    "yes": "是",
    "The settings that were tried": "试过的设置",
    "what": "项目",
    "value": "值",
    "The comparison": "本次比较",
    "command": "命令",
    "fingerprint": "语料指纹",
    "documents": "文档数",
    "held-out documents": "留出文档数",
    "segmentation": "切分方式",
    "counted in the budget": "计入预算",
    "preparing and training": "准备与训练",
    "training alone": "仅训练",
    "machine": "机器",
    "versions": "版本",
    "made": "生成时间",
    "Copy": "复制",
    "Copied": "已复制",
    # for a paper
    "Methods": "方法",
    "Tables in LaTeX": "LaTeX 表格",
    "Papers to cite, as BibTeX": "应引用的论文（BibTeX）",
    "We compared {models} on {corpus}.": "我们在 {corpus} 上比较了 {models}。",
    "The corpus has {n_documents} documents and {n_words} words (fingerprint {fingerprint}), segmented by {segmentation}; the "
    "same {n_held_out} documents were held out of every model's training.": (
        "语料有 {n_documents} 篇文档、{n_words} 个词（指纹 {fingerprint}），切分方式为 {segmentation}；所有模型都留出相同的 "
        "{n_held_out} 篇文档不参与训练。"
    ),
    "preparing included": "含准备时间",
    "preparing not counted": "不含准备时间",
    "Each was trained for {n} minutes of wall-clock time ({counted}), one after another on the whole machine.": (
        "每个模型训练 {n} 分钟（挂钟时间，{counted}），依次独占整台机器。"
    ),
    "Each was trained on {n} words, one after another on the whole machine.": "每个模型训练 {n} 个词，依次独占整台机器。",
    "Seeds: {seeds}.": "随机种子：{seeds}。",
    "Of each, {n} settings were tried; the one to report was chosen on held-out loss or a dev file, never on the sets reported.": (
        "每个模型试了 {n} 组设置，按留出损失或开发集选出报告的一组，从不在所报告的测试集上选择。"
    ),
    "Measured on {sets}.": "测量所用：{sets}。",
    "Scores are over the words that all models know, so that a small vocabulary gains nothing.": (
        "得分只计所有模型都认识的词，小词表不占便宜。"
    ),
    "Of models with several layers the one reported was chosen by {how}.": "有多层的模型，所报告的层的选择方式：{how}。",
    "Intervals hold 95% of bootstrap samples of the items (Efron 1979).": "区间包含对题目自助抽样的 95%（Efron 1979）。",
    "Differences are paired, on the same items; their p-values are corrected for the number of tests (Holm 1979), and what is "
    "not significant at 5% is called a tie.": (
        "差值在相同题目上配对计算；p 值按检验次数校正（Holm 1979），在 5% 水平上不显著的称为并列。"
    ),
    "{names} saw other text and take no part in the comparison.": "{names} 见过其他语料，不参与比较。",
    "Made with {versions} on {machine} by: {command}": "软件：{versions}；机器：{machine}；命令：{command}",
    "Scores, the mean over {n} seeds. Bold: the best, and what no test tells from it.": (
        "得分，{n} 个随机种子的平均。粗体：最佳者，以及检验无法与之区分者。"
    ),
    "Costs, the mean over seeds.": "成本，各随机种子的平均。",
    "Model": "模型",
    "Seconds": "秒",
    "Words/s": "词/秒",
    "Parameters": "参数量",
    "Peak MiB": "内存峰值 MiB",
    "On disk": "磁盘占用",
    # sentences of report.json, see `MADE`
    "{name}, seed {seed}, {of}": "{name}（随机种子 {seed}，{of}）",
    "{name}, seed {seed}": "{name}（随机种子 {seed}）",
    "{where} was left out: {why}": "{where} 未参加：{why}",
    "{where} failed ({work}): {why}": "{where} 失败（{work}）：{why}",
    "{where}: no language measure: {why}": "{where}：没有语言模型指标：{why}",
    "the text is too small to hold a part of it out: there is no language measure": "文本太少，无法留出一部分：没有语言模型指标",
    "no evaluation set was given or found: words are not scored": "没有给出也没有找到评测集：词向量未评分",
    "not all models know {words}: their neighbours are not shown": "并非所有模型都认识 {words}：不显示其近邻",
    "{set}: none of its {n} questions has only words that all models know": "{set}：其 {n} 道题中没有一道的词是所有模型都认识的",
    "{where}: the model is gone, and its grades are missing, damaged or of other sets: it is not scored by words": (
        "{where}：模型已不在，而它的评分缺失、损坏或属于别的评测集：不参加词的评分"
    ),
    "{where}: the model is gone, and other neighbours are asked for than it was asked for: they are not shown": (
        "{where}：模型已不在，而这次要看的近邻与当时不同，不予显示"
    ),
    "{n} of {n_all} seeds are done so far, and the report is of these": "{n_all} 个随机种子目前完成了 {n} 个，报告只含这些",
    "{where}, has vectors of {n} of the {n_all} words alone, and is not scored by words": (
        "{where} 只有 {n_all} 个词中 {n} 个的向量，不参加词的评分"
    ),
    "preparing counts, and takes nearly all of {n} minutes": "准备时间计入预算，而准备几乎用去全部 {n} 分钟",
    "its process ended with signal {n}": "进程因信号 {n} 结束",
    "its process ended with signal {n}; as a rule, because the memory was full": "进程因信号 {n} 结束（通常是内存不足）",
    "its process ended with status {n}": "进程以状态码 {n} 结束",
    "its process ended with status {n}; as a rule, because the memory was full": "进程以状态码 {n} 结束（通常是内存不足）",
    "not enough memory: {error}": "内存不足：{error}",
    "it knows none of the words that the comparison is about": "它不认识所比较的任何一个词",
    "there is no text to measure a language model on": "没有可供测量语言模型的文本",
    "there are no words to hide in the text": "文本中没有可遮盖的词",
    "the text is too small to hold a part of it out; settings are chosen by --dev FILE then": (
        "文本太少，无法留出一部分；此时用 --dev FILE 选择设置"
    ),
    "the held-out documents have no two words beside each other that the model knows": "留出的文档中没有模型都认识的两个相邻的词",
    "one half of the items, seed {seed}; scored on the other": "用一半题目选择（随机种子 {seed}），在另一半上评分",
    "The same {n} documents ({n_bytes} bytes, drawn by the seed) were held out of all trainings; of the rest, ELMo, GPT and "
    "BERT set half a percent aside to watch their own loss.": (
        "所有训练都留出相同的 {n} 篇文档（{n_bytes} 字节，按随机种子抽取）；其余文本中，ELMo、GPT 和 BERT 另留千分之五用于观察"
        "自身的损失。"
    ),
    "All scores are of the {n} words that every model knows, cut by one segmentation ({method}): the {top} most frequent and "
    "those that the sets ask for, of words that occur {least} times.": (
        "所有得分都针对每个模型都认识的 {n} 个词，采用同一种切分（{method}）：最常见的 {top} 个词以及测试集所问的词，均至少出现 "
        "{least} 次。"
    ),
    "Sizes: ELMo, GPT and BERT the largest preset that sees one token for each weight of its blocks within the budget at the "
    "speed measured here, of no more than 16 passes over the text; the others 100 dimensions, unless told.": (
        "规模：ELMo、GPT 和 BERT 取按本机实测速度在预算内能使各块的每个权重至少见到一个词元的最大预设，且至多遍历文本 16 次；"
        "其余模型除非另行指定，均为 100 维。"
    ),
    "GloVe counts the first {n} words of the text alone, and passes {passes} times over the counts.": (
        "GloVe 只统计文本开头的 {n} 个词，并遍历这些计数 {passes} 遍。"
    ),
    "Static vectors of a network's layers are means over at most {n} contexts of a word, read in about a tenth of the budget "
    "beside it; while it trains, over {n_training}, of the last layer but one.": (
        "网络各层的静态向量是每个词至多 {n} 个上下文的平均，读取约用预算之外的十分之一；训练过程中至多 {n_training} 个，取倒数"
        "第二层。"
    ),
    "Bits per byte are of the held-out documents; what a vocabulary lacks is charged for as spelt out at 8 bits a byte. BERT's "
    "pseudo-perplexity is of {n} words drawn by the seed, each hidden with the rest of its pieces.": (
        "每字节比特数在留出文档上测量；词表中没有的内容按逐字节拼写、每字节 8 比特计。BERT 的伪困惑度取按随机种子抽取的 {n} 个词，"
        "每个词连同其全部词片一起遮盖。"
    ),
    "Each variant was tried with {n} settings, {share} of the budget each, chosen on {how}; never on the sets that are reported.": (
        "每个模型试了 {n} 组设置，每组用预算的 {share}，按{how}选择，从不在所报告的测试集上选择。"
    ),
    "a development file of word pairs": "词对开发文件",
    "Behind every model stands the same head for a task: a CNN over words, trained for {epochs} passes at most, of batches of "
    "{batch}, and no more than {patience} without a better score on dev. Probes and tasks are of the first seed alone: their "
    "differences hold for other examples, not for other trainings.": (
        "每个任务中各模型后面都接同样的头：按词的卷积网络，批大小 {batch}，至多训练 {epochs} 遍，开发集得分连续 {patience} 遍没有提高即停。"
        "探针和任务只用第一个随机种子：其差异对其他样例成立，不代表其他训练。"
    ),
    "the held-out documents, of ELMo, GPT and BERT on the part of the text that they set aside": (
        "留出的文档（ELMo、GPT 和 BERT 则按各自留出的那部分文本）"
    ),
}
"""What the phrases are in Chinese."""
