"""Statements as documents for people: a workbook and a PDF per member, both made from statement.json alone.

Neither computes a figure: what they show is the text that stands in the document, so no two formats can differ.
"""
