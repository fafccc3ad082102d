"""What other programs read: OCMF, beancount, payment files, tables and pages. Pure text makers."""
