"""Pictures in formats that sharp does not read, written by Pillow, and their pixels as Pillow reads them: python rarer.py > rarer.json"""

import base64, hashlib, io, json, struct, sys
import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

rng = np.random.default_rng(3)
rgb = rng.integers(0, 256, (13, 19, 3), dtype=np.uint8)
rgb[3:9, 2:15] = rgb[3, 2]  # Runs, for what packs them.
picture = Image.fromarray(rgb)
grey = picture.convert("L")
palette = picture.quantize(16)
bits = picture.convert("1")
files = {}


def put(name, image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    files[name] = out.getvalue()


for mode, image in {"rgb": picture, "grey": grey, "palette": palette, "bits": bits}.items():
    put(f"{mode}.bmp", image, format="BMP")
for mode, image in {"rgb": picture, "grey": grey, "bits": bits}.items():
    put(f"{mode}.ppm", image, format="PPM")
for mode, image in {"rgb": picture, "grey": grey, "palette": palette}.items():
    put(f"{mode}.tga", image, format="TGA")
    put(f"{mode}-rle.tga", image, format="TGA", compression="tga_rle")
put("rgb.qoi", picture, format="QOI")
put("png.ico", picture.resize((32, 32)), format="ICO", sizes=[(16, 16), (32, 32)])
put("bmp.ico", picture.resize((32, 32)), format="ICO", sizes=[(32, 32)], bitmap_format="bmp")

# By hand: digits, other depths, rows from the top, bit fields, run lengths.
files["digits.ppm"] = b"P3\n# a comment\n2 2 15\n0 7 15  1 2 3\n15 15 15 8 8 8\n"
files["digits.pgm"] = b"P2 3 1 100 0 50 100\n"
files["digits.pbm"] = b"P1\n5 2\n10101 0 1 0 1 0\n"
files["deep.ppm"] = b"P6 2 1 1023\n" + struct.pack(">6H", 0, 1, 511, 512, 1000, 1023)


def bmp(bits, data, packing=0, height=2, masks=b"", colours=b"", width=4):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(data), 0, 0, len(colours) // 4, 0)
    start = 14 + len(head) + len(masks) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + masks + colours + data


words = rng.integers(0, 65536, 8, dtype=np.uint16)
files["5-5-5.bmp"] = bmp(16, (words & 0x7FFF).tobytes())
files["5-6-5.bmp"] = bmp(16, words.tobytes(), 3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
files["bgrx.bmp"] = bmp(32, rng.integers(0, 256, 32, dtype=np.uint8).tobytes())
files["from-top.bmp"] = bmp(24, rng.integers(0, 256, 24, dtype=np.uint8).tobytes(), height=-2)
colours = bytes(rng.integers(0, 256, 64, dtype=np.uint8) & 0xFF)
files["rle8.bmp"] = bmp(8, b"\x03\x05\x01\x07\x00\x00\x00\x03\x01\x02\x03\x00\x01\x09\x00\x01", 1, colours=colours)
files["rle4.bmp"] = bmp(4, b"\x03\x56\x01\x70\x00\x00\x00\x04\x12\x34\x00\x00\x00\x01", 2, colours=colours)
files["old.bmp"] = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26 + 6) + struct.pack("<IHHHH", 12, 4, 2, 1, 1) + b"\x10\x20\x30\xf0\xe0\xd0" + b"\xa0\0\0\0\x50\0\0\0"



def tga(kind, bits, data, flags=0x28, extension=b""):
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, 4, 2, bits, flags)
    tail = extension and extension + struct.pack("<II", len(head) + len(data), 0) + b"TRUEVISION-XFILE.\0"
    return head + data + tail


# Whole or no opacity, so that what shows through is exact.
opacity = rng.choice([0, 255], 8).astype(np.uint8)
veiled = np.stack([rng.integers(0, 256, 8, dtype=np.uint8), opacity], 1)
files["grey-alpha.tga"] = tga(3, 16, veiled.tobytes())
files["grey-alpha-rle.tga"] = tga(11, 16, b"\x83" + veiled[0].tobytes() + b"\x03" + veiled[1:5].tobytes())
files["5-5-5-1.tga"] = tga(2, 16, words.tobytes())
four = np.concatenate([rng.integers(0, 256, (8, 3), dtype=np.uint8), opacity[:, None]], 1)
files["alpha.tga"] = tga(2, 32, four.tobytes())
# Version 2, whose extension says at its end that there is no alpha.
files["no-alpha.tga"] = tga(2, 32, four.tobytes(), extension=bytes(495))

# Turned by XMP alone.
for orientation in range(1, 9):
    said = PngInfo()
    attribute = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    said.add_itxt(
        "XML:com.adobe.xmp",
        attribute
        + (f' tiff:Orientation="{orientation}"/>' if orientation % 2 else f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>")
        + "</rdf:RDF></x:xmpmeta>",
    )
    put(f"xmp-{orientation}.png", picture, format="PNG", pnginfo=said)

# TIFFs whose samples have no known range, or colours that are not read.
refused = {}
for name, image in {
    "int32": Image.fromarray(np.asarray(grey).astype(np.int32) * 100),
    "float32": Image.fromarray(np.asarray(grey).astype(np.float32) / 255),
    "lab": picture.convert("LAB"),
}.items():
    out = io.BytesIO()
    image.save(out, format="TIFF")
    refused[name] = {"file": base64.b64encode(out.getvalue()).decode()}

expected = {}
for name, data in files.items():
    with Image.open(io.BytesIO(data)) as image:
        if image.mode.startswith("I"):
            pixels = np.asarray(image, dtype=np.int64)
            out = np.repeat(np.round(pixels * 255 / 65535).astype(np.uint8)[..., None], 3, 2)
        else:
            image = ImageOps.exif_transpose(image)
            if "A" in image.getbands():
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            out = np.asarray(image.convert("RGB"))
    expected[name] = {
        "file": base64.b64encode(data).decode(),
        "size": [out.shape[1], out.shape[0]],
        "sha256": hashlib.sha256(out.tobytes()).hexdigest(),
    }
json.dump({"read": expected, "refused": refused}, sys.stdout, indent=1)
