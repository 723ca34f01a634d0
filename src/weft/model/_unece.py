"""UNECE Recommendation 20 common codes and the UCUM code of the same unit, as data: the codes that OPC UA's
EUInformation carries (OPC 10000-8, 5.6.3). Where several common codes mean one unit, the first is written."""

from __future__ import annotations

from typing import Final

__all__ = ["COMMON_CODES"]

_TEXT: Final = """
MTQ m3 | HTZ Hz | VLT V | RPM {rev}/min | C81 rad | C25 mrad | B97 urad | DD deg | D61 ' | A91 gon
D27 sr | MTR m | E96 deg/s | H27 deg/m | DMT dm | CMT cm | 4H um | MMT mm | HMT hm | KMT km | C45 nm
C52 pm | A71 fm | A45 dam | F52 m/K | F50 um/K | F51 cm/K | H84 g.mm | INH [in_i] | FOT [ft_i]
YRD [yd_i] | SMI [mi_i] | MAM Mm | MTK m2 | KMK km2 | H30 um2 | H59 m2/N | CMK cm2 | DMK dm2 | H16 dam2
H18 hm2 | MMK mm2 | ARE a | INK [in_i]2 | FTK [ft_i]2 | YDK [yd_i]2 | MIK [mi_i]2 | MAL Ml | LTR l
MMQ mm3 | CMQ cm3 | DMQ dm3 | MLT ml | HLT hl | CLT cl | DMA dam3 | H19 hm3 | H20 km3 | DLT dl | 4G ul
K6 kl | A44 dal | INQ [in_i]3 | FTQ [ft_i]3 | YDQ [yd_i]3 | G26 st | M69 [mi_i]3 | SEC s | MIN min
HUR h | DAY d | B52 ks | C26 ms | H70 ps | B98 us | C47 ns | WEE wk | MON mo | ANN a | 2A rad/s
M46 {rev}/min | 2B rad/s2 | M45 deg/s2 | MTS m/s | KNT [kn_i] | KMH km/h | C16 mm/s | 2M cm/s | H49 cm/h
H81 mm/min | 2X m/min | H66 mm/a | FR [ft_i]/min | IU [in_i]/s | FS [ft_i]/s | HM [mi_i]/h
K14 [ft_i]/h | M57 [mi_i]/min | M58 [mi_i]/s | M60 m/h | M61 [in_i]/a | M62 km/s | M63 [in_i]/min
M64 [yd_i]/s | M65 [yd_i]/min | M66 [yd_i]/h | MSK m/s2 | A76 Gal | C11 mGal | M38 km/s2 | M39 cm/s2
M41 mm/s2 | A73 [ft_i]/s2 | IV [in_i]/s2 | M40 [yd_i]/s2 | M42 [mi_i]/s2 | C92 m-1 | Q32 fl | Q33 pl
Q34 nl | KHZ kHz | MHZ MHz | D29 THz | A86 GHz | MTZ mHz | C97 s-1 | C94 min-1 | C50 Np | 2N dB | M72 B
C51 Np/s | KGM kg | MC ug | DG dg | GRM g | CGM cg | TNE t | MGM mg | HGM hg | KTN kt | 2U Mg
LBR [lb_av] | ONZ [oz_av] | L69 t/K | KMQ kg/m3 | 23 g/cm3 | D41 t/m3 | GJ g/ml | GL g/l | A93 g/m3
GP mg/m3 | B72 Mg/m3 | B34 kg/dm3 | H64 mg/g | H29 ug/l | M1 mg/l | GQ ug/m3 | F23 g/dm3 | G31 kg/cm3
F24 kg/kmol | F18 kg.cm2 | F19 kg.mm2 | 87 [lb_av]/[ft_i]3 | LA [lb_av]/[in_i]3 | G32 [oz_av]/[yd_i]3
K84 [lb_av]/[yd_i]3 | L39 [oz_av]/[in_i]3 | C62 1 | A39 m3/kg | 22 dl/g | H65 ml/m3 | H83 l/kg
KX ml/kg | H15 cm2/g | N28 dm3/kg | N29 [ft_i]3/[lb_av] | N30 [in_i]3/[lb_av] | KL kg/m | GF g/m
H76 g/mm | KW kg/mm | C12 mg/m | M31 kg/km | P2 [lb_av]/[ft_i] | PO [lb_av]/[in_i] | M84 [lb_av]/[yd_i]
GO mg/m2 | H63 mg/cm2 | GM g/m2 | 28 kg/m2 | D5 kg/cm2 | B31 kg.m/s | B33 kg.m2/s | B32 kg.m2
F20 [lb_av].[in_i]2 | K65 [lb_av].[ft_i]2 | NEW N | B73 MN | B47 kN | C20 mN | B92 uN | DU dyn
C78 [lbf_av] | B37 kgf | M77 kg.m/s2 | F17 [lbf_av]/[ft_i] | F48 [lbf_av]/[in_i] | NU N.m | H40 N/A
B74 MN.m | B48 kN.m | D83 mN.m | B93 uN.m | DN dN.m | J72 cN.m | F88 N.cm | F90 N.m/A | G19 N.m/kg
F47 N/mm | M93 N.m/rad | B38 kgf.m | 4Q [oz_av].[in_i] | 4R [oz_av].[ft_i] | F21 [lbf_av].[in_i]
J94 dyn.cm | M92 [lbf_av].[ft_i] | M97 dyn.m | C57 N.s | C53 N.m.s | 74 mPa | MPA MPa | PAL Pa | KPA kPa
BAR bar | HBA hbar | MBR mbar | KBA kbar | ATM atm | A89 GPa | B96 uPa | A97 hPa | H75 daPa | B85 ubar
C55 N/m2 | C56 N/mm2 | F82 hPa/K | F83 kPa/K | F85 MPa/K | F84 mbar/K | E01 N/cm2 | PS [lbf_av]/[in_i]2
B40 kgf/m2 | ATT att | K31 gf/cm2 | E42 kgf/cm2 | K85 [lbf_av]/[ft_i]2 | C96 Pa-1 | B83 m4 | G77 mm4
D69 [in_i]4 | N27 [ft_i]4 | C65 Pa.s | N37 kg/(m.s) | N38 kg/(m.min) | C24 mPa.s | N39 kg/(m.d)
N40 kg/(m.h) | 89 P | C7 cP | J32 uP | K91 [lbf_av].s/[ft_i]2 | K92 [lbf_av].s/[in_i]2 | S4 m2/s
C17 mm2/s | 91 St | 4C cSt | S3 [ft_i]2/s | G08 [in_i]2/s | M79 [ft_i]2/h | M81 cm2/s | 4P N/m
C22 mN/m | M23 N/cm | N31 kN/m | DX dyn/cm | N33 [lbf_av]/[yd_i] | JOU J | KJO kJ | A68 EJ | C68 PJ
D30 TJ | GV GJ | 3B MJ | C15 mJ | A70 fJ | A13 aJ | WHR W.h | MWH MW.h | KWH kW.h | GWH GW.h | D32 TW.h
A53 eV | B71 MeV | A85 GeV | B29 keV | A57 erg | WTT W | KWT kW | MAW MW | A90 GW | C31 mW | D80 uW
KGS kg/s | H56 kg/(m2.s) | 4M mg/h | F26 g/d | F27 g/h | F28 g/min | F29 g/s | F30 kg/d | E93 kg/h
F31 kg/min | F32 mg/d | F33 mg/min | F34 mg/s | F25 g/Hz | 4U [lb_av]/h | K66 [lb_av]/d
K78 [lb_av]/min | K81 [lb_av]/s | L33 [oz_av]/d | L34 [oz_av]/h | L35 [oz_av]/min | L36 [oz_av]/s
L71 t/d | E18 t/h | L78 t/min | L81 t/s | M88 t/mo | M89 t/a | J33 ug/kg | L32 ng/kg | MQS m3/s
MQH m3/h | 40 ml/s | 41 ml/min | LD l/d | 2J cm3/s | 4X kl/h | L2 l/min | G47 cm3/d | G48 cm3/h
G49 cm3/min | E92 dm3/h | G52 m3/d | G53 m3/min | G51 l/s | G54 ml/d | G55 ml/h | 2K [ft_i]3/h
2L [ft_i]3/min | G56 [in_i]3/h | G57 [in_i]3/min | G58 [in_i]3/s | J90 dm3/d | J92 dm3/min | J93 dm3/s
K22 [ft_i]3/d | M12 [yd_i]3/d | M13 [yd_i]3/h | M15 [yd_i]3/min | M16 [yd_i]3/s | KEL K | CEL Cel
F10 K/h | F11 K/min | F12 K/s | FAH [degF] | C91 K-1 | C64 Pa/K | F81 bar/K | J55 W.s | BTU [Btu_IT]
2I [Btu_IT]/h | J44 [Btu_IT]/min | J45 [Btu_IT]/s | D54 W/m2 | N48 W/cm2 | N49 W/[in_i]2 | D53 W/(m.K)
N81 kW/(m.K) | D55 W/(m2.K) | N78 kW/(m2.K) | D19 m2.K/W | B21 K/W | H35 K.m/W | D52 W/K | F53 mm/K
JE J/K | B41 kJ/K | B11 J/(kg.K) | B43 kJ/(kg.K) | D95 J/g | JK MJ/kg | B42 kJ/kg | AZ [Btu_IT]/[lb_av]
N58 [Btu_IT]/[ft_i]3 | Q31 kJ/g | AMP A | B22 kA | H38 MA | 4K mA | B84 uA | C39 nA | C70 pA | COU C
A8 A.s | H32 A2.s | AMH A.h | TAH kA.h | D77 MC | D86 mC | B26 kC | B86 uC | C40 nC | C71 pC | E09 mA.h
N95 A.min | A29 C/m3 | A84 GC/m3 | A30 C/mm3 | B69 MC/m3 | A28 C/cm3 | B27 kC/m3 | D88 mC/m3 | B87 uC/m3
A34 C/m2 | B70 MC/m2 | A35 C/mm2 | A33 C/cm2 | B28 kC/m2 | D89 mC/m2 | B88 uC/m2 | D50 V/m | H45 V.s/m
D51 V/mm | H24 V/us | H62 mV/min | H46 V/s | B79 MV/m | B55 kV/m | D47 V/cm | C30 mV/m | C3 uV/m
H23 V/[in_i] | B78 MV | KVT kV | 2Z mV | D82 uV | N99 pV | FAR F | H48 aF | C10 mF | 4O uF | C41 nF
4T pF | N90 kF | A69 F/m | H28 uF/km | H33 F/km | B89 uF/m | C42 nF/m | C72 pF/m | A26 C.m | A41 A/m2
H31 A/kg | B66 MA/m2 | A7 A/mm2 | A4 A/cm2 | B23 kA/m2 | AE A/m | B24 kA/m | A3 A/mm | A2 A/cm
F76 mA/mm | F08 mA/[in_i] | P10 C/m | D33 T | C29 mT | D81 uT | C48 nT | P13 kT | WEB Wb | C33 mWb
P11 kWb | D59 Wb/m | B56 kWb/m | D60 Wb/mm | 81 H | C14 mH | B90 uH | C43 nH | C73 pH | P24 kH | A98 H/m
B91 uH/m | C44 nH/m | A5 A.m2 | B8 J/m3 | SIE S | B53 kS | C27 mS | B99 uS | G42 uS/cm | G43 uS/m
N92 pS | NQ mho | D10 S/m | H43 S/cm | H61 mS/cm | B77 MS/m | B54 kS/m | G45 nS/m | G44 nS/cm | L42 pS/m
C89 H-1 | P14 J/s | D31 TW | P15 J/min | P16 J/h | P17 J/d | P18 kJ/s | P19 kJ/min | P20 kJ/h | P21 kJ/d
C49 nW | C75 pW | D46 V.A | MVA MV.A | KVA kV.A | M35 mV.A | C84 rad/m | JM MJ/m3 | B13 J/m2 | C93 m-2
H47 W/m3 | H74 W/m | E43 J/cm2 | P37 [Btu_IT]/[ft_i]2 | D57 W/sr | D58 W/(sr.m2) | D56 W/(m2.K4)
D18 m.K | CDL cd | P33 kcd | P34 mcd | LUM lm | B62 lm.s | B59 lm.h | A24 cd/m2 | P28 cd/[in_i]2
P32 cd/[ft_i]2 | B60 lm/m2 | LUX lx | KLX klx | P25 lm/[ft_i]2 | P26 ph | B64 lx.s | B63 lx.h | B61 lm/W
D22 m2/mol | A60 erg/cm3 | C32 mW/m2 | D85 uW/m2 | C76 pW/m2 | C66 Pa.s/m3 | M32 Pa.s/l | C58 N.s/m
P43 B/m | H51 dB/km | H52 dB/m | P42 Pa2.s | C34 mol | B45 kmol | C18 mmol | FH umol | Z9 nmol
C95 mol-1 | D74 kg/mol | A94 g/mol | A40 m3/mol | A37 dm3/mol | A36 cm3/mol | B58 l/mol | B15 J/mol
B44 kJ/mol | B16 J/(mol.K) | C86 m-3 | H50 cm-3 | K63 /l | C36 mol/m3 | C38 mol/l | C35 mol/dm3
B46 kmol/m3 | E95 mol/s | M33 mmol/l | C19 mol/kg | D93 s/m3 | D87 mmol/kg | H68 mmol/g | P47 kmol/kg
KAT kat | E94 kmol/s | A32 C/mol | K58 kmol/h | K61 kmol/min | L23 mol/h | L30 mol/min | Q30 pH
B18 J.s | CUR Ci | MCU mCi | M5 uCi | BQL Bq | GBQ GBq | 2Q kBq | 4N MBq | A42 Ci/kg | A18 Bq/kg
B67 MBq/kg | B25 kBq/kg | A19 Bq/m3 | D21 m2/kg | B12 J/m | A95 Gy | C13 mGy | C80 rad | D13 Sv
C28 mSv | CKG C/kg | C8 mC/kg | 2C R | 2Y mR | P70 Sv/h | P71 mSv/h | P72 uSv/h | D48 V/K | D49 mV/K
34 kPa/mm | H42 Pa/m | P81 kPa/m | P82 hPa/m | Q35 MW/min | 59 [ppm] | 61 [ppb] | 66 Oe | 2G V | 2H V
2P kBy | 4L MBy | A99 bit | AD By | B10 bit/s | B30 Gibit | B65 Mx | B68 Gbit | B80 Gbit/s | C21 Kibit
C37 kbit | C74 kbit/s | D03 kW.h/h | D11 Mibit | D36 Mbit | D78 MJ/s | E07 MW.h/h | E17 [ft_i]3/s
E20 Mbit/s | E32 l/h | E34 GBy | E35 TBy | E36 PBy | E46 kW.h/m3 | E58 Ebit/s | E61 TiBy | E62 GiBy
E63 MiBy | E64 KiBy | E68 GBy/s | E78 Pbit | E79 Pbit/s | E83 Tbit | E84 Tbit/s | E90 cm-1 | E91 d-1
H25 %/K | H71 %/mo | H90 %/deg | H95 %/V | H98 %/[in_i] | H99 %/m | J10 %/mm | J38 Bd | J54 MBd
K50 kBd | NX [ppth] | P1 % | P93 By/s | P94 kBy/s | P95 MBy/s | TKM t.km | WA W/kg | RPS {rev}/s
OHM Ohm | B49 kOhm | B75 MOhm | A87 GOhm | E45 mOhm | B94 uOhm | C61 Ohm.m | C60 Ohm.cm | F56 Ohm/km
H26 Ohm/m | D44 V.A{reactive} | KVR kV.A{reactive} | K5 kV.A{reactive} | MAR MV.A{reactive}
K3 kV.A{reactive}.h | MAH MV.A{reactive}.h | C79 kV.A.h | GLL [gal_us] | GLI [gal_br] | G2 [gal_us]/min
G3 [gal_br]/min | G50 [gal_us]/h | GB [gal_us]/d | BLL [bbl_us] | LTN [lton_av] | STN [ston_av]
4W [ston_av]/h | B35 kg/l | K40 [g] | HN mm[Hg] | J89 cm[Hg] | HP mm[H2O] | H78 cm[H2O] | N23 m[H2O]
F79 [in_i'Hg] | F78 [in_i'H2O] | BHP [HP] | D35 cal_th | K53 kcal_th | E14 kcal_IT | A48 [degR] | D62 ''
ACR [acr_us] | NTU [NTU] | QTL [qt_us] | PTL [pt_us] | OZA [foz_us] | DWT 24.[gr] | GRN [gr]
APZ [oz_tr] | CTM [car_m] | A11 Ao | D43 u | NM3 m3{norm} | Q40 m3/h{norm} | Q39 m3/d{norm}
SM3 m3{std} | Q38 m3/h{std} | Q37 m3/d{std} | H87 {pcs} | EA {each} | SET {set} | IE {person}
DZN 12.{pcs} | T3 10*3.{pcs} | MIL 10*3 | BFT [bf_i] | VP %{vol} | 60 %{mass} | H12 K/h | H13 K/min
H14 K/s | HAR har | E08 MW/Hz | J2 J/kg | NMI [nmi_i] | BUA [bu_us] | E27 {dose}
"""

_PAIRS: Final = _TEXT.strip().replace("\n", " | ").split(" | ")

COMMON_CODES: Final[dict[str, str]] = {common: ucum for common, ucum in map(str.split, _PAIRS)}  # noqa: C416  # dict() would lose the types
