"""Sentences of our own, labelled by hand: all observations said, denied and doubted, and scopes.

A line is a sentence and what it says: `CM+` positive, `CM-` negative, `CM?` uncertain; an
observation that is not named is not mentioned. No Finding is left out; test_rules.py reads it.
"""

import math

import pytest

from gradtruce.data.observations import FINDINGS
from gradtruce.evaluation.labelers.rules import RulesLabeler

LABELER = RulesLabeler()
IN_ORDER = ("EC", "CM", "LO", "LL", "ED", "CO", "PN", "AT", "PX", "PE", "PO", "FX", "SD")
SHORT = dict(zip(FINDINGS, IN_ORDER, strict=True))
SIGNS = {1.0: "+", 0.0: "-", -1.0: "?"}

OBSERVATIONS_SAID = """
The superior mediastinum is widened. | EC+
Marked mediastinal widening is present. | EC+
Cardiomediastinal contours are enlarged. | EC+ CM+
The mediastinal contours are unremarkable. | EC-
Mediastinum is not widened. | EC-
There is no mediastinal widening. | EC-
The mediastinum may be widened. | EC?
Possible mediastinal enlargement. | EC?
There is moderate cardiomegaly. | CM+
The cardiac silhouette is mildly enlarged. | CM+
Large heart. | CM+
The heart is slightly increased in size. | CM+
Normal heart size. | CM-
Heart size is within normal limits. | CM-
No cardiomegaly. | CM-
The cardiac silhouette is not enlarged. | CM-
The heart is unremarkable. | CM-
Cardiac size is at the upper limits of normal. | CM-
Borderline cardiomegaly. | CM?
The heart is possibly enlarged. | CM?
Suspected enlargement of the heart. | CM?
Patchy opacity in the lingula. | LO+
Bilateral infiltrates are present. | LO+
Ground-glass change at the right apex. | LO+
Coarse reticular markings. | LO+
Linear scarring at the left base. | LO+
Interstitial markings are increased. | LO+
The lungs are without opacity. | LO-
No infiltrate. | LO-
No focal air space disease is seen. | LO-
Questionable opacity at the right base. | LO?
A subtle infiltrate cannot be ruled out. | LO?
An 8 mm nodule lies in the right upper lobe. | LL+
Spiculated mass in the left hilum. | LL+
Findings of metastatic carcinoma. | LL+
Cavitary lesion at the apex. | LL+
No suspicious nodule. | LL-
No pulmonary mass is identified. | LL-
No nodules or masses. | LL-
Possible nodule over the fifth rib. | LL?
A small nodule is not excluded. | LL?
Interstitial edema is present. | ED+
Findings of volume overload. | ED+
Pulmonary edema has worsened. | ED+
No pulmonary edema. | ED-
There is no evidence of congestive failure. | ED-
No vascular congestion. | ED-
Pulmonary vascular congestion. | ED?
Probable mild edema. | ED?
This may represent early edema. | ED?
Dense consolidation of the middle lobe. | CO+
Consolidated left lower lobe. | CO+
No consolidation. | CO-
Lungs are clear of consolidation. | CO-
Suspicious for consolidation. | CO?
Developing consolidation is possible. | CO?
Right lower lobe pneumonia. | PN+
Findings are consistent with infection. | PN+
Multifocal bronchopneumonia. | PN+
No pneumonia. | PN-
There is no radiographic evidence of pneumonia. | PN-
Negative for pneumonia. | PN-
Pneumonia is suspected. | PN?
Concerning for an infectious process. | PN?
Early pneumonia cannot be excluded. | PN?
Bibasilar atelectasis. | AT+
Subsegmental atelectatic bands. | AT+
Collapse of the left lower lobe. | AT+
No atelectasis. | AT-
The right upper lobe collapse has resolved. | AT-
Probable atelectasis. | AT?
Likely represents atelectasis. | AT+
Large right pneumothorax. | PX+
There is a hydropneumothorax. | PX+ PE+
There is no pneumothorax. | PX-
No visible pneumothorax. | PX-
Negative for pneumothoraces. | PX-
Pneumothorax is questioned. | PX?
Cannot rule out a tiny pneumothorax. | PX?
Moderate left pleural effusion. | PE+
Loculated pleural fluid on the right. | PE+
There are small bilateral effusions. | PE+
No pleural effusion. | PE-
No effusions are identified. | PE-
Costophrenic angles are free of fluid without effusion. | PE-
Questionable trace effusion. | PE?
A small effusion might be present. | PE?
Pleural thickening on the left. | PO+
Calcified pleural plaques. | PO+
Apical capping. | PO+
No pleural thickening. | PO-
Without pleural plaque. | PO-
Possible pleural thickening. | PO?
Fracture of the left clavicle. | FX+
Healed rib fractures. | FX+
No fracture. | FX-
No acute displaced rib fracture is seen. | FX-
Possible nondisplaced fracture. | FX?
A rib fracture is suspected. | FX?
The nasogastric tube ends in the stomach. | SD+
Dual chamber pacemaker. | SD+
Right internal jugular catheter ends at the cavoatrial junction. | SD+
Median sternotomy wires are intact. | SD+
Cardiac defibrillator in place. | SD+
The catheter has been removed. | SD-
No chest tube. | SD-
Removal of the endotracheal tube. | SD-
Possible retained catheter. | SD?
"""

SCOPES = """
No effusion, pneumothorax, or consolidation. | PE- PX- CO-
No effusion or pneumothorax or edema. | PE- PX- ED-
Neither effusion nor pneumothorax is seen. | PE- PX-
Lungs are free of edema, nodules and masses. | ED- LL-
No mass, nodule, infiltrate, or effusion. | LL- LO- PE-
No pneumothorax, however there is an effusion. | PX- PE+
No edema but small effusions are present. | ED- PE+
Effusion without edema. | PE+ ED-
Effusion, without edema. | PE+ ED-
No effusion; mild edema. | PE- ED+
No fracture. Mild atelectasis. | FX- AT+
No edema, although atelectasis is present. | ED- AT+
No consolidation while the effusion persists. | CO- PE+
No pneumonia, with small effusion. | PN- PE+
The heart is enlarged without edema. | CM+ ED-
Heart size is normal and the mediastinum is widened. | CM- EC+
The heart is enlarged but the mediastinum is normal. | CM+ EC-
Heart and mediastinum are unremarkable. | CM- EC-
Normal heart and mediastinum. | CM- EC-
No pneumothorax and no effusion. | PX- PE-
There is an effusion and no pneumothorax. | PE+ PX-
Apart from mild atelectasis, no abnormality is seen. | AT+
No acute disease other than small effusion. | PE+
No consolidation except for bibasilar atelectasis. | CO- AT+
The previously seen effusion has resolved. | PE-
Resolved pneumothorax. | PX-
Resolution of the left effusion. | PE-
The pneumonia has cleared. | PN-
The nodule is no longer seen. | LL-
The chest tube was removed, and no pneumothorax is seen. | SD- PX-
The effusion has not resolved. | PE+
The effusion has nearly resolved. | PE+
Normal heart size and mediastinal contours. | CM- EC-
Enlarged heart and normal mediastinum. | CM+ EC-
No new consolidation. | CO?
No new nodules or masses. | LL?
No change in the right effusion. | PE+
No significant interval change in bibasilar atelectasis. | AT+
No interval increase in the effusion. | PE+
Not only an effusion but a pneumothorax. | PE+ PX+
Pneumonia could not be excluded. | PN?
Pneumonia can not be completely excluded. | PN?
It is difficult to exclude a small effusion. | PE?
Cannot exclude infection or edema. | PN? ED?
Opacity may represent pneumonia or atelectasis. | LO+ PN? AT?
Opacities, possibly edema. | LO+ ED?
Basilar opacity, probably atelectasis. | LO+ AT?
Atelectasis or consolidation at the left base. | AT? CO?
Edema versus infection. | ED? PN?
Opacity rather than mass. | LO+ LL-
Small effusion is unlikely. | PE-
Pneumonia is not favored but edema is likely. | PN- ED+
Opacity secondary to atelectasis. | LO+ AT+
No opacity to suggest pneumonia. | LO- PN-
No effusion or edema, stable cardiomegaly. | PE- ED- CM+
Improved edema. | ED+
Effusion has decreased since the prior study. | PE+
Increasing right effusion, stable left effusion. | PE+
Unchanged cardiomegaly. | CM+
Effusion unchanged, pneumothorax resolved. | PE+ PX-
Larger nodule than before. | LL+
Low lung volumes without consolidation, effusion or pneumothorax. | CO- PE- PX-
Calcified granuloma, no nodule. | LL-
Small calcified nodule. |
The nodule appears calcified. |
Breast cancer. |
Gastric effusion of air. |
Series for rib fracture was not obtained. |
Pulmonary vascularity is normal. |
The bones are intact. |
Congestive heart failure. | ED+ CM?
No heart failure. | ED-
Possible heart failure. | ED? CM?
The patient has a pacemaker, and no pneumothorax is seen. | SD+ PX-
1. No effusion. 2. Small nodule. | PE- LL+
No mass/effusion. | LL- PE-
No edema and/or effusion. | ED- PE-
NO PNEUMOTHORAX | PX-
Effusion?  Edema! | PE+ ED+
The cardiac silhouette is poorly seen. | CM?
The effusion is obscured. | PE?
This is unlikely to represent pneumonia. | PN-
Less likely pneumonia. | PN?
Rule out pneumonia. | PN?
No effusion is seen and there is atelectasis. | PE- AT+
No pneumothorax is identified, and bibasilar atelectasis is again noted. | PX- AT+
No effusion and left basilar opacity is unchanged. | PE- LO+
No pneumothorax is seen despite rib fractures. | PX- FX+
No pneumothorax with a left chest tube in place. | PX- SD+
No pneumothorax seen with the PICC line in good position. | PX- SD+
No pneumothorax, status post chest tube placement. | PX- SD+
No pneumothorax following PICC line placement. | PX- SD+
No pneumothorax after removal of the chest tube. | PX- SD-
Chest tube removed, no pneumothorax. | SD- PX-
Near complete resolution of the edema. | ED+
Resolution of the edema. | ED-
The nodule is not well seen. | LL?
The nodule is not seen. | LL-
Left upper lobe nodule not seen on the prior exam. | LL+
No interval development of effusion. | PE?
Cardiomegaly is difficult to exclude. | CM?
No mass effect. |
Right hilar mass. | LL+
Lesion in the left upper lobe. | LL+
ETT 3 cm above the carina. | SD+
The mediastinum is otherwise normal. | EC-
The heart is borderline. | CM?
Heart borderline in size. | CM?
Resolved pneumonia with residual scarring. | PN- LO+
Opacity which may be due to atelectasis. | LO+ AT?
Opacity due to atelectasis. | LO+ AT+
"""


def cases(text):
    """Return sentences with their marks."""
    lines = (line.split("|") for line in text.strip().splitlines())
    return [(sentence.strip(), marks.split()) for sentence, marks in lines]


@pytest.mark.parametrize(("sentence", "marks"), cases(OBSERVATIONS_SAID) + cases(SCOPES))
def test_a_sentence_says_what_a_reader_would_take_from_it(sentence, marks):
    states = zip(FINDINGS, LABELER.label([sentence])[0, :13], strict=True)
    read = {SHORT[name] + SIGNS[state] for name, state in states if not math.isnan(state)}
    assert read == set(marks)


def test_every_observation_is_said_denied_and_doubted_and_there_are_enough_sentences():
    marks = {mark for _, found in cases(OBSERVATIONS_SAID) for mark in found}
    assert marks >= {short + sign for short in SHORT.values() for sign in "+-?"}
    assert len(cases(OBSERVATIONS_SAID + SCOPES.lstrip())) >= 150
