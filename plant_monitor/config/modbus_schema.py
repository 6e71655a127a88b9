"""The shape of a Modbus device in plant.yaml."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from plant_monitor.config.scalars import Cell, Duration, Id, NotZero, Number, Plain, Unit, integer
from plant_monitor.config.section import Section, TlsSection

RegisterNumber = Annotated[int, integer(0, 65535), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 65535})]
Registers = Annotated[int, integer(1, 125), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 125})]
Gap = Annotated[int, integer(0, 124), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 124})]
Bit = Annotated[int, integer(0, 15), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 15})]
UnitId = Annotated[int, integer(0, 255), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 255})]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
Table = Literal["holding", "input", "coil", "discrete"]
NumberType = Literal[
    "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64", "bcd16", "bcd32", "bcd64"
]
CodeType = Literal["int16", "uint16", "int32", "uint32", "bcd16", "bcd32", "string"]


class FractionSection(Section):
    """The fraction part of a totaliser that counts in an integer and a fraction register."""

    register_: RegisterNumber = Field(alias="register", description="first register of the fraction, from 0")
    type: NumberType = Field(description="type of the fraction")
    order: Order = Field("ABCD", description="byte order of the fraction")
    scale: NotZero = Field(Decimal(1), description="factor from the fraction to the unit of the series")


class CodeSection(Section):
    """A register that tells something about a value by a code."""

    table: Table | None = Field(None, description="which table to read; omitted: that of the value")
    register_: RegisterNumber = Field(alias="register", description="first register of the code, from 0")
    type: CodeType = Field("uint16", description="type of the code; in a coil or discrete table it is 0 or 1")
    order: Order | None = Field(None, description="byte order of the code; omitted: that of the value")
    length: Registers | None = Field(None, description="type string: registers it takes, two characters each")


class UnitCodeSection(CodeSection):
    """The register in which an instrument says in which unit it shows a value."""

    units: dict[Cell, Unit] = Field(
        min_length=1, description="code -> unit, or the factor to the unit of the series; other codes: no value"
    )


class StatusSection(CodeSection):
    """The register in which an instrument says how good a value is."""

    codes: dict[Cell, Cell] = Field({}, description="code -> mark (N, F, M, S, D, C, T or B)")
    other: Cell = Field("D", description="mark of a code that codes does not list (D)")
    bits: dict[Cell, Cell] = Field(
        {}, description="bit (0 the least significant) -> mark while it is set; the first in the file counts; none: N"
    )


class RegisterSection(Section):
    """One series in the registers of a device."""

    point: Id | None = Field(None, description="point of the series; omitted: the point of the device")
    parameter: Id = Field(description="parameter of the series")
    table: Table = Field("holding", description="which table to read")
    register_: RegisterNumber = Field(
        alias="register", description="first register, from 0 as on the wire; 0x… allowed"
    )
    type: NumberType | Literal["bit", "string", "bool"] | None = Field(
        None, description="type of the value; coils and discrete inputs are bool"
    )
    bit: Bit | None = Field(None, description="type bit: which one, 0 the least significant")
    length: Registers | None = Field(None, description="type string: registers it takes, two characters each")
    order: Order = Field("ABCD", description="byte order: ABCD big-endian, CDAB low word first, BADC, DCBA")
    scale: NotZero = Field(Decimal(1), description="value = register · scale + offset")
    offset: Number = Field(Decimal(0), description="value = register · scale + offset")
    fraction: FractionSection | None = Field(None, description="fraction register that is added to an integer one")
    no_value: list[Number] = Field([], description="values by which the instrument says it has none, as -9999")
    unit_code: UnitCodeSection | None = Field(None, description="register that tells the unit; read with the value")
    status: list[StatusSection] = Field(
        [], description="registers that tell the mark; read with the value. The first that is not N counts"
    )


class ModbusSection(Section):
    """A Modbus TCP device."""

    id: Id = Field(description="short name of the device")
    protocol: Literal["modbus-tcp"] = Field(description="modbus-tcp")
    address: Plain = Field(description="host:port; devices behind one gateway have the same")
    unit_id: UnitId = Field(1, description="unit id (slave address)")
    framing: Literal["tcp", "rtu"] = Field(
        "tcp", description="tcp, or rtu for a serial line behind a transparent converter (RTU over TCP)"
    )
    tls: TlsSection | None = Field(None, description="Modbus/TLS (mostly port 802), with these certificates")
    poll: Duration = Field(
        10_000, description="retry pace and lower bound; a series is read once per its interval (10s)"
    )
    timeout: Duration = Field(3_000, description="how long to wait for an answer (3s)")
    min_delay: Duration | None = Field(
        None, description="least pause between an answer and the next request on the connection"
    )
    max_block: Registers = Field(125, description="registers that one request may ask for")
    max_gap: Gap = Field(16, description="unwanted registers that may be read between two wanted ones")
    point: Id | None = Field(None, description="point of the readings that name none")
    readings: list[RegisterSection] = Field(min_length=1, description="what to read")
