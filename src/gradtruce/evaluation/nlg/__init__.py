"""Lexical scores of reports: BLEU, ROUGE-L, CIDEr-D and METEOR, as coco-caption has them."""
