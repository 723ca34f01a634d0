"""The atoms of UCUM 2.2 (The Unified Code for Units of Measure, tables 1 to 24) that a plant needs, as data.

One atom a line: case-sensitive code, ``M`` when it takes metric prefixes, its value, the unit of that value,
the symbol that people read, the English name. Seven atoms are defined by nothing else: the base.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ATOMS", "BASE", "LEVELS", "PREFIXES", "SHIFTED", "Atom"]


class Atom(NamedTuple):
    code: str
    metric: bool
    value: str
    unit: str
    symbol: str
    name: str


# Section 4.2: the order of a dimension's exponents. Mass is kept in grams, as UCUM does.
BASE: Final = ("m", "s", "g", "rad", "K", "C", "cd")

# Tables 1 and 3: code, factor, symbol, name.
PREFIXES: Final[dict[str, tuple[str, str, str]]] = {
    "Y": ("1e24", "Y", "yotta"),
    "Z": ("1e21", "Z", "zetta"),
    "E": ("1e18", "E", "exa"),
    "P": ("1e15", "P", "peta"),
    "T": ("1e12", "T", "tera"),
    "G": ("1e9", "G", "giga"),
    "M": ("1e6", "M", "mega"),
    "k": ("1e3", "k", "kilo"),
    "h": ("1e2", "h", "hecto"),
    "da": ("1e1", "da", "deca"),
    "d": ("1e-1", "d", "deci"),
    "c": ("1e-2", "c", "centi"),
    "m": ("1e-3", "m", "milli"),
    "u": ("1e-6", "µ", "micro"),
    "n": ("1e-9", "n", "nano"),
    "p": ("1e-12", "p", "pico"),
    "f": ("1e-15", "f", "femto"),
    "a": ("1e-18", "a", "atto"),
    "z": ("1e-21", "z", "zepto"),
    "y": ("1e-24", "y", "yocto"),
    "Ki": ("1024", "Ki", "kibi"),
    "Mi": ("1048576", "Mi", "mebi"),
    "Gi": ("1073741824", "Gi", "gibi"),
    "Ti": ("1099511627776", "Ti", "tebi"),
}

# Special units on a linear scale (section 7.2): kelvin = value * factor + shift.
SHIFTED: Final[dict[str, tuple[str, str]]] = {
    "Cel": ("1", "273.15"),
    "[degF]": ("5/9", "45967/180"),
    "[degRe]": ("5/4", "273.15"),
}

# Logarithmic and procedure-defined scales: each converts to itself alone, so they carry no dimension here.
LEVELS: Final = frozenset(
    {"Np", "B", "B[SPL]", "B[V]", "B[mV]", "B[uV]", "B[W]", "B[kW]", "[pH]"}
    | {"[NTU]", "[FNU]", "[CFU]", "[IU]", "[arb'U]"}
)

_TEXT: Final = """
m           M 1          -                  m      metre
s           M 1          -                  s      second
g           M 1          -                  g      gram
rad         M 1          -                  rad    radian
K           M 1          -                  K      kelvin
C           M 1          -                  C      coulomb
cd          M 1          -                  cd     candela
[pi]        - 3.14159265358979323846264338327950288419716939937510582097494459 1 π pi
%           - 1          10*-2              %      percent
[ppth]      - 1          10*-3              ‰      part per thousand
[ppm]       - 1          10*-6              ppm    part per million
[ppb]       - 1          10*-9              ppb    part per billion
[pptr]      - 1          10*-12             ppt    part per trillion
mol         M 6.02214076 10*23              mol    mole
sr          M 1          rad2               sr     steradian
Hz          M 1          s-1                Hz     hertz
N           M 1          kg.m/s2            N      newton
Pa          M 1          N/m2               Pa     pascal
J           M 1          N.m                J      joule
W           M 1          J/s                W      watt
A           M 1          C/s                A      ampere
V           M 1          J/C                V      volt
F           M 1          C/V                F      farad
Ohm         M 1          V/A                Ω      ohm
S           M 1          Ohm-1              S      siemens
mho         M 1          S                  S      mho
Wb          M 1          V.s                Wb     weber
T           M 1          Wb/m2              T      tesla
H           M 1          Wb/A               H      henry
lm          M 1          cd.sr              lm     lumen
lx          M 1          lm/m2              lx     lux
Bq          M 1          s-1                Bq     becquerel
Gy          M 1          J/kg               Gy     gray
Sv          M 1          J/kg               Sv     sievert
kat         M 1          mol/s              kat    katal
U           M 1          umol/min           U      enzyme unit
Cel         M 1          K                  °C     degree Celsius
[degF]      - 1          K                  °F     degree Fahrenheit
[degRe]     - 1          K                  °Ré    degree Réaumur
[degR]      - 1          K.5/9              °R     degree Rankine
deg         - 1          [pi].rad/180       °      degree of angle
'           - 1          deg/60             ′      minute of angle
''          - 1          '/60               ″      second of angle
gon         - 0.9        deg                gon    gon
circ        - 2          [pi].rad           circ   full circle
sph         - 4          [pi].sr            sph    full sphere
l           M 1          dm3                l      litre
L           M 1          l                  L      litre
ar          M 100        m2                 a      are
st          M 1          m3                 st     stere
min         - 60         s                  min    minute
h           - 60         min                h      hour
d           - 24         h                  d      day
wk          - 7          d                  wk     week
mo          - 1          a/12               mo     month
a           - 365.25     d                  a      year
t           M 1000       kg                 t      tonne
bar         M 100000     Pa                 bar    bar
u           M 1.66053906660e-24 g           u      atomic mass unit
eV          M 1.602176634e-19 J             eV     electronvolt
[c]         M 299792458  m/s                c      speed of light
[g]         M 9.80665    m/s2               gₙ     standard gravity
atm         - 101325     Pa                 atm    standard atmosphere
att         - 1          kgf/cm2            at     technical atmosphere
gf          M 1          g.[g]              gf     gram-force
m[H2O]      M 9.80665    kPa                mH₂O   metre of water column
m[Hg]       M 133.3220   kPa                mHg    metre of mercury column
[in_i'H2O]  - 1          m[H2O].[in_i]/m    inH₂O  inch of water column
[in_i'Hg]   - 1          m[Hg].[in_i]/m     inHg   inch of mercury column
[psi]       - 1          [lbf_av]/[in_i]2   psi    pound per square inch
Gal         M 1          cm/s2              Gal    gal
dyn         M 1          g.cm/s2            dyn    dyne
erg         M 1          dyn.cm             erg    erg
P           M 1          dyn.s/cm2          P      poise
St          M 1          cm2/s              St     stokes
Mx          M 1e-8       Wb                 Mx     maxwell
G           M 1e-4       T                  G      gauss
Oe          M 250        A.m-1/[pi]         Oe     oersted
ph          M 1e-4       lx                 ph     phot
Ci          M 37e9       Bq                 Ci     curie
R           M 2.58e-4    C/kg               R      roentgen
cal         M 4.184      J                  cal    calorie
cal_th      M 4.184      J                  calₜₕ  thermochemical calorie
cal_IT      M 4.1868     J                  calᵢₜ  international table calorie
[Btu]       - 1.05435    kJ                 Btu    British thermal unit
[Btu_IT]    - 1.05505585262 kJ              Btu    international table British thermal unit
[Btu_th]    - 1.05435    kJ                 Btu    thermochemical British thermal unit
[HP]        - 550        [ft_i].[lbf_av]/s  hp     horsepower
tex         M 1          g/km               tex    tex
[den]       - 1          g/km/9             den    denier
Ao          - 0.1        nm                 Å      ångström
b           - 100        fm2                b      barn
[in_i]      - 2.54       cm                 in     inch
[ft_i]      - 12         [in_i]             ft     foot
[yd_i]      - 3          [ft_i]             yd     yard
[mi_i]      - 5280       [ft_i]             mi     mile
[mil_i]     - 1e-3       [in_i]             mil    mil
[nmi_i]     - 1852       m                  nmi    nautical mile
[kn_i]      - 1          [nmi_i]/h          kn     knot
[sin_i]     - 1          [in_i]2            in²    square inch
[sft_i]     - 1          [ft_i]2            ft²    square foot
[syd_i]     - 1          [yd_i]2            yd²    square yard
[cin_i]     - 1          [in_i]3            in³    cubic inch
[cft_i]     - 1          [ft_i]3            ft³    cubic foot
[cyd_i]     - 1          [yd_i]3            yd³    cubic yard
[bf_i]      - 144        [in_i]3            bf     board foot
[acr_us]    - 160        [rd_us]2           ac     acre
[rd_us]     - 16.5       [ft_us]            rd     rod
[ft_us]     - 1200       m/3937             ft     US survey foot
[gal_us]    - 231        [in_i]3            gal    US gallon
[qt_us]     - 1          [gal_us]/4         qt     US quart
[pt_us]     - 1          [qt_us]/2          pt     US pint
[foz_us]    - 1          [pt_us]/16         fl_oz  US fluid ounce
[bbl_us]    - 42         [gal_us]           bbl    barrel
[bu_us]     - 2150.42    [in_i]3            bu     US bushel
[gal_br]    - 4.54609    l                  gal    imperial gallon
[gr]        - 64.79891   mg                 gr     grain
[lb_av]     - 7000       [gr]               lb     pound
[oz_av]     - 1          [lb_av]/16         oz     ounce
[oz_tr]     - 480        [gr]               oz_t   troy ounce
[ston_av]   - 2000       [lb_av]            ton    short ton
[lton_av]   - 2240       [lb_av]            lton   long ton
[lbf_av]    - 1          [lb_av].[g]        lbf    pound-force
[car_m]     - 0.2        g                  ct     metric carat
bit         M 1          1                  bit    bit
By          M 8          bit                B      byte
Bd          M 1          s-1                Bd     baud
eq          M 1          mol                eq     equivalent
osm         M 1          mol                osm    osmole
g%          M 1          g/dl               g%     gram percent
Np          M 1          1                  Np     neper
B           M 1          1                  B      bel
B[SPL]      M 1          1                  B(SPL) bel of sound pressure
B[V]        M 1          1                  B(V)   bel of a volt
B[mV]       M 1          1                  B(mV)  bel of a millivolt
B[uV]       M 1          1                  B(µV)  bel of a microvolt
B[W]        M 1          1                  B(W)   bel of a watt
B[kW]       M 1          1                  B(kW)  bel of a kilowatt
[pH]        - 1          1                  pH     acidity
[NTU]       - 1          1                  NTU    nephelometric turbidity unit
[FNU]       - 1          1                  FNU    formazin nephelometric unit
[CFU]       - 1          1                  CFU    colony forming unit
[IU]        M 1          1                  IU     international unit
[arb'U]     - 1          1                  arb.U. arbitrary unit
"""  # noqa: RUF001  # the primes are the symbols of angles


def _atom(line: str) -> Atom:
    code, metric, value, unit, symbol, name = line.split(None, 5)
    return Atom(code, metric == "M", value, unit, symbol.replace("_", " "), name)


ATOMS: Final[dict[str, Atom]] = {atom.code: atom for atom in map(_atom, _TEXT.strip().splitlines())}
