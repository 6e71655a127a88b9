"""Who used how much of the plant, and what each member pays: pure, exact, explainable (design §5).

No I/O, no logging, no clock. Money is integer fen, volumes are integer litres, loads are integer grams;
floats enter only as registers (decimals of their shortest text) and as integrals, which are rounded
before anything is decided.
"""
