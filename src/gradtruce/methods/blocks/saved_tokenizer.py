"""A model that is saved with its tokenizer and comes back with it."""

from os import PathLike
from pathlib import Path
from typing import Any, Self

from transformers import PreTrainedTokenizerFast


class SavedTokenizer:
    """Stands before `PreTrainedModel` among the bases of a method; holds its tokenizer.

    `save_pretrained` writes the tokenizer beside the weights, `from_pretrained` reads it where it
    is there, so that one folder is all that `predict` needs of the model.
    """

    tokenizer: PreTrainedTokenizerFast | None = None

    def require_tokenizer(self) -> PreTrainedTokenizerFast:
        """Return the tokenizer.

        Raises:
            ValueError: If the model was made or loaded without one.
        """
        if self.tokenizer is None:
            raise ValueError(
                "the model has no tokenizer to write words with: set model.tokenizer, "
                "or load a folder that holds tokenizer.json"
            )
        return self.tokenizer

    def save_pretrained(self, save_directory: str | PathLike[str], **options: Any) -> None:
        """Write weights, config and tokenizer to a folder."""
        super().save_pretrained(save_directory, **options)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(save_directory)

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str], *arguments: Any, **options: Any) -> Self:
        """Return the model in a folder, with its tokenizer if the folder holds one."""
        model = super().from_pretrained(folder, *arguments, **options)
        if (Path(folder) / "tokenizer.json").is_file():
            model.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        return model
