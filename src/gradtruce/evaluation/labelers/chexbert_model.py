"""The network of CheXbert: BERT, and a linear head for each observation."""

from typing import Final, final

from jaxtyping import Float, Int
from torch import Tensor, nn, stack
from transformers import BertConfig, BertModel

HEADS: Final = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
    "No Finding",
)
"""The observation that each head reads, in the order of the published checkpoint."""


@final
class CheXbert(nn.Module):
    """BERT with 14 linear heads on its [CLS] vector (Smit et al. 2020).

    Parameters are named as in the published checkpoint. A head has four classes (blank, positive,
    negative, uncertain), that of No Finding has two (blank, positive).

    Args:
        config: Size of the BERT model.

    >>> import torch
    >>> config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1,
    ...     num_attention_heads=2, intermediate_size=16, max_position_embeddings=6)
    >>> ids = torch.tensor([[2, 5, 3]])
    >>> model = CheXbert(config).eval()
    >>> model.codes(model(ids, torch.ones_like(ids))).shape
    torch.Size([1, 14])
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.bert = BertModel(config)
        classes = [2 if name == "No Finding" else 4 for name in HEADS]
        self.linear_heads = nn.ModuleList(nn.Linear(config.hidden_size, count) for count in classes)

    def forward(
        self, ids: Int[Tensor, "reports tokens"], mask: Int[Tensor, "reports tokens"]
    ) -> Float[Tensor, "reports hidden"]:
        """Return the [CLS] vector of the last layer; tokens with mask 0 are not seen."""
        hidden: Tensor = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden[:, 0]

    def codes(self, vectors: Float[Tensor, "reports hidden"]) -> Int[Tensor, "reports heads"]:
        """Return the likeliest class of each head: 0 blank, 1 positive, 2 negative, 3 uncertain."""
        return stack([head(vectors).argmax(dim=1) for head in self.linear_heads], dim=1)
