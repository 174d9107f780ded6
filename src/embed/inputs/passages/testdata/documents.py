"""Makes birds.docx and birds.pdf, the smallest that hold a heading, paragraphs and, in the PDF, two pages. python3 documents.py"""

import zipfile

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
    "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "word/styles.xml": f'<w:styles xmlns:w="{WORD}"><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>',
    "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Towhees</w:t></w:r></w:p><w:p><w:r><w:t>They scratch in dry leaves.</w:t></w:r></w:p><w:p><w:r><w:t>They sing from the top of a bush.</w:t></w:r></w:p></w:body></w:document>',
}

with zipfile.ZipFile("birds.docx", "w", zipfile.ZIP_DEFLATED) as archive:
    for name, text in PARTS.items():
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)

PAGES = [
    "BT /F 12 Tf 50 700 Td (Towhees scratch) Tj 0 -14 Td (in dry leaves.) Tj 0 -40 Td (They sing from bushes.) Tj ET",
    "BT /F 12 Tf 50 700 Td (Owls hunt at night.) Tj ET",
]
objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 >>",
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
]
for i, page in enumerate(PAGES):
    objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>")
    objects.append(f"<< /Length {len(page)} >>\nstream\n{page}\nendstream")
pdf = b"%PDF-1.4\n"
places = []
for i, body in enumerate(objects):
    places.append(len(pdf))
    pdf += f"{i + 1} 0 obj\n{body}\nendobj\n".encode()
start = len(pdf)
pdf += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
pdf += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
pdf += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
open("birds.pdf", "wb").write(pdf)
