"""Small IU X-Ray downloads of invented reports, in each of the layouts that are about."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from gradtruce.data.observations import OBSERVATIONS

IDS = {
    "train": ["CXR1_1_IM-0001", "CXR2_IM-0652", "CXR2372_IM-0933-0001"],
    "val": ["CXR4_IM-2050"],
    "test": ["CXR5_IM-2117"],
}


def entry(study_id, split, **changes):
    paths = [f"{study_id}/0.png", f"{study_id}/1.png"]
    report = f"Findings of {study_id}. XXXX."
    return {"id": study_id, "report": report, "image_path": paths, "split": split} | changes


def film(path: Path, shade=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((30, 20), shade, dtype=np.uint8)).save(path)


def xml(uid, findings="Clear lungs.", impression="Normal.", images=(), major=(), automatic=()):
    """Return a report in Open-i's form."""
    texts = {"COMPARISON": "None.", "INDICATION": "Cough.", "FINDINGS": findings}
    texts["IMPRESSION"] = impression
    sections = "".join(f'<AbstractText Label="{k}">{v}</AbstractText>' for k, v in texts.items())
    terms = "".join(f"<major>{term}</major>" for term in major)
    terms += "".join(f"<automatic>{term}</automatic>" for term in automatic)
    listed = "".join(f'<parentImage id="{image}"/>' for image in images)
    return f'<eCitation><uId id="CXR{uid}"/>{sections}<MeSH>{terms}</MeSH>{listed}</eCitation>'


class Download:
    """A folder with all of it; R2Gen folders for some studies, Open-i names for others."""

    def __init__(self, root: Path):
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.annotation = root / "annotation.json"
        self.images = root / "images"
        self.xml = root / "ecgen-radiology"
        self.content = {s: [entry(study, s) for study in ids] for s, ids in IDS.items()}
        self.write()
        film(self.images / "CXR1_1_IM-0001-3001.png", 31)
        film(self.images / "CXR1_1_IM-0001-4001.png", 41)
        film(self.images / "r2gen" / "CXR2372_IM-0933-0001" / "1.png", 2)
        film(self.images / "4_IM-2050-1001.dcm.png", 4)
        film(self.images / "r2gen" / "CXR5_IM-2117" / "0.png", 50)
        film(self.images / "r2gen" / "CXR5_IM-2117" / "1.png", 51)
        film(self.images / "notes.png", 9)

    def write(self):
        self.annotation.write_text(json.dumps(self.content))

    def write_xml(self, uids=(1, 2, 4, 5, 2372), **changes):
        self.xml.mkdir(exist_ok=True)
        for uid in uids:
            images = (f"CXR{uid}_IM-0001-1001", f"CXR{uid}_IM-0001-2001")
            (self.xml / f"{uid}.xml").write_text(xml(uid, images=images, **changes))
        return self.xml

    def write_kaggle(self, uids=(1, 2, 4, 5, 2372), findings="Clear lungs."):
        """Write the pair of Kaggle and return both paths."""
        reports = self.root / "indiana_reports.csv"
        head = "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
        cells = f'Opacity/lung/left;Edema,Opacity;Edema,"Chest, 2 views",,,{findings},Normal.'
        reports.write_text(head + "".join(f"{uid},{cells}\n" for uid in uids))
        return reports, self.projections(
            "1,1_IM-0001-4001.dcm.png,Frontal\n1,1_IM-0001-3001.dcm.png,Lateral\n"
            "4,4_IM-2050-1001.dcm.png,Frontal\n4,4_IM-2050-2001.dcm.png,Lateral\n"
        )

    def projections(self, text):
        path = self.root / "projections.csv"
        path.write_text("uid,filename,projection\n" + text)
        return path

    def labels(self, *study_ids):
        rows = [["id", *OBSERVATIONS], *([study, *["1"] * 14] for study in study_ids)]
        path = self.root / "labels.csv"
        path.write_text("\n".join(",".join(row) for row in rows))
        return path
