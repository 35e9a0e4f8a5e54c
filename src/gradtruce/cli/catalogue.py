"""Names and one-line descriptions, as a table that needs no heavy import.

A test compares it with the classes and presets that are there.
"""

from typing import Final

CATALOGUE: Final[dict[str, dict[str, str]]] = {
    "balancers": {
        "linear": "Linear scalarization: the weighted sum of the losses, one backward pass",
        "came_grad": "CAME-Grad: rectify the direction, restore the magnitude, fuse",
        "cagrad": "CAGrad: the direction near the mean gradient whose worst task improves most",
        "dualproj": "DualProj: the joint gradient projected onto the cone where no task gets worse",
        "imtlg": "IMTL-G: the update that has the same cosine with every task gradient",
        "mgda": "MGDA: the convex combination of the task gradients with the smallest norm",
        "pcgrad": "PCGrad: each task gradient loses what opposes the others, in random order",
        "upgrad": "UPGrad: each task gradient projected onto the cone where no task gets worse",
        "uncertainty_weighting": "Uncertainty weighting: the inverse of a learned variance",
        "gradnorm": "GradNorm: learned weights that bring gradient norms to common targets",
        "dwa": "Dynamic weight average: more weight where the epoch's mean loss fell least",
        "rlw": "Random loss weighting: a new random convex combination in every step",
        "stch": "Smooth Tchebycheff scalarization: descend a smooth maximum of the losses",
        "nmt": "Prioritised tasks: improve one without giving up what those before it reached",
        "famo": "FAMO: equal relative improvement, one backward and one more forward pass",
        "ema": "Wrapper: average the coefficients of another balancer over steps (CR-MOGM)",
        "nash_mtl": "Nash-MTL: the update as the Nash bargaining solution of the tasks",
        "fairgrad": "FairGrad: the update that shares progress fairly among the tasks",
        "aligned_mtl": "Aligned-MTL: the nearest orthogonal task gradients of equal length",
        "con_fig": "ConFIG: the direction that makes the same angle with every task gradient",
        "gradvac": "GradVac: task gradients bent until their cosines are what they usually are",
        "mmpareto": "MMPareto: in every part of the model, the Pareto direction at restored length",
        "graddrop": "GradDrop: in every coordinate the task gradients of one sign, drawn at random",
        "sgld": "SGLD: the ablation of CAME-Grad with noise in place of its second stage",
        "stgu": "STGU: groups of tasks that help each other, updated one group after the other",
        "rotograd": "RotoGrad: features rotated for each task, their gradients scaled to one norm",
    },
    "methods": {
        "r2gen": "R2Gen: relational memory and memory-driven layer norm, with a findings head",
        "r2gen_cmn": "R2GenCMN: a memory that images and words share, with a findings head",
        "wcl": "WCL: R2Gen with a contrast of images and reports, weighted by clusters",
        "camanet": "CAMANet: words look where the class activation maps of findings are",
        "xpronet": "XProNet: prototypes that the labels of a study choose, predicted or oracle",
        "promptmrg": "PromptMRG: predicted states of findings prompt a decoder like BERT",
        "ddatr": "DDaTR: what differs from the prior study, stage by stage, and its report",
    },
    "data sets": {
        "phantom": "Synthetic chest radiograph studies of which everything is known",
        "iu_xray": "Indiana University chest X-rays: R2Gen's file, Open-i's XML or Kaggle's tables",
        "mimic_cxr": "Your own credentialed copy of MIMIC-CXR, JPG or DICOM",
        "folder": "Your own images and reports, as a CSV file or a folder",
    },
    "labelers": {
        "rules": "CheXpert-style rules, offline",
        "chexbert": "CheXbert, from weights that you have",
        "file": "Labels that another program has made",
    },
}
"""Kind → name → description."""
