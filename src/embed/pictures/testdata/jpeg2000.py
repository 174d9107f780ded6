"""JPEG 2000 pictures and their pixels as Pillow reads them: PATH=…:$PATH python jpeg2000.py > jpeg2000.json, with OpenJPEG's opj_compress (Debian's libopenjp2-tools) for what Pillow does not write."""

import base64, io, json, pathlib, struct, subprocess, sys, tempfile
import numpy as np
from PIL import Image, ImageCms

rng = np.random.default_rng(3)
HEIGHT, WIDTH = 18, 22
y, x = np.mgrid[:HEIGHT, :WIDTH]
smooth = np.stack([x * 255 // (WIDTH - 1), y * 255 // (HEIGHT - 1), (x + y) * 6], 2).astype(np.uint8)
smooth[4:9, 3:12] = [200, 30, 90]
picture = Image.fromarray(smooth)
grey = picture.convert("L")
opacity = Image.fromarray(((x // 4 + y // 4) % 2 * 255).astype(np.uint8))
files = {}  # name: (bytes, tolerance)


def save(image, **options):
    out = io.BytesIO()
    image.save(out, format="JPEG2000", **options)
    return out.getvalue()


def put(name, data, tolerance=0):
    files[name] = (data, tolerance)


put("grey.jp2", save(grey))
put("rgb.jp2", save(picture))
put("rgb.j2k", save(picture, no_jp2=True))
put("rgba.jp2", save(Image.merge("RGBA", [*picture.split(), opacity])))
put("grey-alpha.jp2", save(Image.merge("LA", [grey, opacity])))
put("rgba.j2k", save(Image.merge("RGBA", [*picture.split(), opacity]), no_jp2=True))
put("tiles.jp2", save(picture, tile_size=(8, 8)))
put("tiles-offset.jp2", save(picture, tile_size=(16, 16), offset=(5, 3), tile_offset=(2, 1)))
put("layers.jp2", save(picture, quality_mode="rates", quality_layers=[20, 10, 2], irreversible=True, progression="RPCL"), 1)
# Luma and chroma become colours: both round.
put("sycc.jp2", save(picture.convert("YCbCr")), 2)
# 16 bits become 8.
put("grey16.jp2", save(Image.fromarray(rng.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16))), 1)


def compress(planes, depth, steps=None, signed=False, ending="jp2"):
    """By opj_compress, from raw planes of numbers. It calls three of them sYCC in a JP2."""
    steps = steps or ["1x1"] * len(planes)
    planes, kind = [np.asarray(plane) for plane in planes], f"{'i' if signed else 'u'}{1 if depth <= 8 else 2}"
    with tempfile.TemporaryDirectory() as folder:
        raw, out = pathlib.Path(folder, "in.rawl"), pathlib.Path(folder, f"out.{ending}")
        raw.write_bytes(b"".join(plane.astype(f"<{kind}").tobytes() for plane in planes))
        form = f"{WIDTH},{HEIGHT},{len(planes)},{depth},{'s' if signed else 'u'}@{':'.join(steps)}"
        # Components that are not of colours are not mixed.
        subprocess.run(["opj_compress", "-i", raw, "-o", out, "-F", form, "-n", "3", "-mct", "0"], check=True, stdout=sys.stderr)
        return out.read_bytes()


deep = [(plane.astype(np.int64) * 257 + 77) % 65536 for plane in smooth.transpose(2, 0, 1)]
put("rgb16.j2k", compress(deep, 16, ending="j2k"), 1)
put("grey12.jp2", compress([deep[0] >> 4], 12), 1)
put("grey5.j2k", compress([deep[0] >> 11], 5, ending="j2k"), 1)
put("rgb12.j2k", compress([plane >> 4 for plane in deep], 12, ending="j2k"), 1)
put("bits.j2k", compress([opacity_ & 1 for opacity_ in [np.asarray(opacity)]], 1, ending="j2k"), 0)
put("signed.j2k", compress([(plane >> 8) - 128 for plane in deep], 8, signed=True, ending="j2k"), 0)
put("signed12.j2k", compress([(deep[2] >> 4) - 2048], 12, signed=True, ending="j2k"), 1)
ycc = np.asarray(picture.convert("YCbCr"))
for name, dx, dy in [("420", 2, 2), ("422", 2, 1)]:
    planes = [ycc[..., 0], ycc[::dy, ::dx, 1], ycc[::dy, ::dx, 2]]
    put(f"ycc{name}.jp2", compress(planes, 8, ["1x1", f"{dx}x{dy}", f"{dx}x{dy}"]), 2)


def box(kind, data):
    return struct.pack(">I4s", 8 + len(data), kind) + data


def boxed(codestream, components, colours, *more, depth=8):
    head = box(b"ihdr", struct.pack(">IIHBBBB", HEIGHT, WIDTH, components, depth - 1, 7, 0, 0))
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", head + box(b"colr", colours) + b"".join(more))
        + box(b"jp2c", codestream)
    )


def numbered(number):
    return struct.pack(">BBBI", 1, 0, 0, number)


indices = Image.fromarray(((x + y) % 7).astype(np.uint8))
colours = rng.integers(0, 256, (7, 3), dtype=np.uint8)
one = save(indices, no_jp2=True)
palette = box(b"pclr", struct.pack(">HB3B", 7, 3, 7, 7, 7) + colours.tobytes())
cmap = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, i) for i in range(3)))
put("palette.jp2", boxed(one, 1, numbered(16), palette, cmap))
three = save(picture, no_jp2=True)
# The second channel is red, and the first green.
swapped = box(b"cdef", struct.pack(">HHHHHHHHHH", 3, 0, 0, 2, 1, 0, 1, 2, 0, 3))
xmp = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
turned = boxed(three, 3, numbered(16)) + box(b"uuid", xmp)


def profile(space, gamma, primaries):
    """A small ICC profile of a gamma and, for colours, of primaries."""
    fixed = lambda values: b"".join(struct.pack(">i", round(value * 65536)) for value in values)
    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    text = b"made by hand\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0" + text,
        b"wtpt": b"XYZ \0\0\0\0" + fixed([0.9642, 1, 0.8249]),
    }
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for letter, primary in zip("rgb", primaries):
            tags[f"{letter}XYZ".encode()] = b"XYZ \0\0\0\0" + fixed(primary)
            tags[f"{letter}TRC".encode()] = curve
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, at + len(data), len(value))
        data += value
    size = at + len(data)
    head = struct.pack(">I4sI4s4s4s12s4s", size, b"\0\0\0\0", 0x02100000, b"mntr", space, b"XYZ ", bytes(12), b"acsp")
    head += bytes(68 - len(head)) + fixed([0.9642, 1, 0.8249])
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + data


wide = profile(b"RGB ", 2.2, [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)])
dark = profile(b"GRAY", 1.2, None)
profiled = {
    "profile.jp2": (boxed(three, 3, b"\x02\0\0" + wide), wide),
    "profile-grey.jp2": (boxed(save(grey, no_jp2=True), 1, b"\x02\0\0" + dark), dark),
}
refused = {
    "in CMYK colours": boxed(save(Image.merge("RGBA", [*picture.split(), opacity]), no_jp2=True), 4, numbered(12)),
    "in CIELab colours": boxed(three, 3, numbered(14)),
    "in e-sYCC colours": boxed(three, 3, numbered(24)),
    "of 3 components in grey": boxed(three, 3, numbered(17)),
    'of 3 components and a profile of "CMYK" colours': boxed(three, 3, b"\x02\0\0" + bytes(16) + b"CMYK" + bytes(108)),
    "of 5 components": compress([plane >> 8 for plane in [*deep, *deep[:2]]], 8, ending="j2k"),
    "of 24 bits a sample": save(grey, no_jp2=True),
    "whose components are of different sizes": compress([deep[0] >> 8, (deep[1] >> 8)[::2, ::2]], 8, ["1x1", "2x2"], ending="j2k"),
    "whose chroma is smaller by 4 × 4": compress([deep[0] >> 8, *([(deep[1] >> 8)[::4, ::4]] * 2)], 8, ["1x1", "4x4", "4x4"], ending="j2k"),
    "whose colours are multiplied by their opacity": boxed(
        save(Image.merge("LA", [grey, opacity]), no_jp2=True), 2, numbered(17), box(b"cdef", struct.pack(">7H", 2, 0, 0, 1, 1, 2, 0))
    ),
    "whose palette has signed colours": boxed(one, 1, numbered(16), palette.replace(b"\x03\x07", b"\x03\x87"), cmap),
}
deepest = bytearray(refused["of 24 bits a sample"])
deepest[42] = 23
refused["of 24 bits a sample"] = bytes(deepest)


def encoded(data):
    return base64.b64encode(data).decode()


def pixels(image):
    if image.mode.startswith("I"):
        grey = np.asarray(image, dtype=np.int64) >> 8
        return np.repeat(grey.astype(np.uint8)[..., None], 3, 2)
    if "A" in image.getbands():
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def entry(data, out, tolerance):
    return {"file": encoded(data), "size": [out.shape[1], out.shape[0]], "pixels": encoded(out.tobytes()), "tolerance": tolerance}


read = {}
for name, (data, tolerance) in files.items():
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        out = pixels(image)
    # Pillow leaves the bits of less than 8 where they are and fills with 0, so that white is no white.
    depth = {"grey5.j2k": 5, "bits.j2k": 1}.get(name)
    if depth:
        out = np.round((out >> (8 - depth)) * 255.0 / (2**depth - 1)).astype(np.uint8)
    read[name] = entry(data, out, tolerance)
for name, (data, icc) in profiled.items():
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        mode = image.mode
        image = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert np.abs(np.asarray(image).astype(int) - np.asarray((grey if mode == "L" else picture).convert("RGB"))).max() > 10
    read[name] = entry(data, np.asarray(image), 2)
read["turned.jp2"] = entry(turned, np.asarray(picture.rotate(-90, expand=True)), 0)
read["swapped.jp2"] = entry(boxed(three, 3, numbered(16), swapped), smooth[..., [1, 0, 2]], 0)
json.dump({"read": read, "refused": {name: encoded(data) for name, data in refused.items()}}, sys.stdout, indent=1)
