"""The parameters the product knows by name, with the unit they have where plant.yaml states none.

The keys are those of the shipped limit sets. A plant may measure others, if it declares their unit.
"""

from __future__ import annotations

from plant_monitor import units

_IN_MG_L = """
acrylonitrile alkyl_hg ammonia_n aniline_class animal_vegetable_oil aox benzene benzo_a_pyrene bod5 chloride
chlorobenzene cod_cr cr_6 dibutyl_phthalate dichlorophenol_2_4 dimethoate dinitrochlorobenzene_2_4 dioctyl_phthalate
dissolved_oxygen elemental_p ethylbenzene fluoride formaldehyde las m_cresol m_xylene malathion methyl_parathion
mlss nitrobenzene_class o_dichlorobenzene o_xylene organophosphorus_pesticide_p p_dichlorobenzene
p_nitrochlorobenzene p_xylene parathion pentachlorophenol petroleum_oil phenol phosphate_p residual_chlorine ss
sulfate sulfide tds tetrachloroethylene tetrachloromethane toc toluene total_ag total_as total_be total_cd total_cr
total_cu total_cyanide total_hg total_mn total_n total_ni total_p total_pb total_se total_zn trichloroethylene
trichloromethane trichlorophenol_2_4_6 volatile_phenol
"""

DEFAULT_UNITS: dict[str, str] = {
    "flow": "m3/h",
    "volume": "m3",
    "ph": "1",
    "water_temperature": "degC",
    "conductivity": "uS/cm",
    "gross_alpha": "Bq/L",
    "gross_beta": "Bq/L",
    **dict.fromkeys(_IN_MG_L.split(), "mg/L"),
}

# May be told as a saturation or in other ways; the others of the table are masses per volume, or nothing.
_FREE_KIND = {"dissolved_oxygen", "ph", "water_temperature", "conductivity", "gross_alpha", "gross_beta"}


def required_kind(parameter: str) -> str | None:
    """The kind of unit a known parameter must have (``concentration``, ``flow``, ``volume``), or None."""
    if parameter in _FREE_KIND or parameter not in DEFAULT_UNITS:
        return None
    return units.kind(DEFAULT_UNITS[parameter])


def units_of(kind: str) -> str:
    """The units of a kind, for a message: ``mg/L, g/m3, …``."""
    return ", ".join(u for u in units.known() if units.kind(u) == kind)


def misspelt(unit: str) -> str | None:
    """The unit that was meant where only case or a raised digit differs (``mg/l``, ``m³/h``), else None."""
    if unit in units.known():
        return None
    plain = unit.replace("³", "3").replace("℃", "degC").replace(" ", "").casefold()
    return next((u for u in (*units.known(), "degC", "uS/cm") if u.casefold() == plain and u != unit), None)
