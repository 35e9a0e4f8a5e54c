"""Multi-task optimizers: from the statistics of a step to its coefficients."""

from gradtruce.balance.aligned_mtl import AlignedMTL
from gradtruce.balance.cagrad import CAGrad
from gradtruce.balance.came_grad import CAMEGrad
from gradtruce.balance.con_fig import ConFIG
from gradtruce.balance.dualproj import DualProj
from gradtruce.balance.dwa import DWA
from gradtruce.balance.ema import EMA
from gradtruce.balance.fairgrad import FairGrad
from gradtruce.balance.famo import FAMO
from gradtruce.balance.graddrop import GradDrop
from gradtruce.balance.gradnorm import GradNorm
from gradtruce.balance.gradvac import GradVac
from gradtruce.balance.imtlg import IMTLG
from gradtruce.balance.linear import Linear
from gradtruce.balance.mgda import MGDA
from gradtruce.balance.mmpareto import MMPareto
from gradtruce.balance.nash_mtl import NashMTL
from gradtruce.balance.nmt import NMT
from gradtruce.balance.pcgrad import PCGrad
from gradtruce.balance.rlw import RLW
from gradtruce.balance.rotograd import RotoGrad
from gradtruce.balance.sgld import SGLD
from gradtruce.balance.stch import STCH
from gradtruce.balance.stgu import STGU
from gradtruce.balance.uncertainty_weighting import UncertaintyWeighting
from gradtruce.balance.upgrad import UPGrad

__all__ = [
    "DWA",
    "EMA",
    "FAMO",
    "IMTLG",
    "MGDA",
    "NMT",
    "RLW",
    "SGLD",
    "STCH",
    "STGU",
    "AlignedMTL",
    "CAGrad",
    "CAMEGrad",
    "ConFIG",
    "DualProj",
    "FairGrad",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "Linear",
    "MMPareto",
    "NashMTL",
    "PCGrad",
    "RotoGrad",
    "UPGrad",
    "UncertaintyWeighting",
]
