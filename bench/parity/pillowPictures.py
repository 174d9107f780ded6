"""Pictures of test suites as Pillow opens them: the first frame, upright, on white, as RGB.

    pip download pillow --no-binary :all: --no-deps && tar xzf pillow-*.tar.gz     # Tests/images
    apt-get download golang-1.19-src && dpkg -x golang-1.19-src_*.deb go           # usr/share/go-1.19/src/image
    python pillowPictures.py OUT pillow-*/Tests/images go/usr/share/go-1.19/src/image

Writes OUT/pictures.json, `[path, what Pillow says, place of its pixels or null][]`, and OUT/N.png.
"""
import json
import pathlib
import sys
import warnings

import numpy
from PIL import Image, ImageFile, ImageOps

warnings.simplefilter('ignore')
Image.MAX_IMAGE_PIXELS = 200_000_000
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


def rgb(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith('I;16'):
        return Image.fromarray((numpy.asarray(image).astype(numpy.uint16) >> 8).astype(numpy.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        return None
    if 'A' in image.getbands() or 'transparency' in image.info:
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        return Image.alpha_composite(white, image).convert('RGB')
    return image.convert('RGB')


rows = []
for root in sys.argv[2:]:
    for path in sorted(pathlib.Path(root).resolve().rglob('*')):
        if not path.is_file() or path.suffix in ('.go', '.py', '.txt', '.md'):
            continue
        try:
            with Image.open(path) as image:
                kind = f'{image.format} {image.mode}'
                image.load()
                pixels = rgb(image)
        except Exception as error:
            rows.append([str(path), f'{type(error).__name__}: {error}'[:120], None])
            continue
        if pixels is None:
            rows.append([str(path), kind, None])
            continue
        pixels.thumbnail((1024, 1024))
        pixels.save(out / f'{len(rows)}.png')
        rows.append([str(path), kind, f'{len(rows)}.png'])
(out / 'pictures.json').write_text(json.dumps(rows))
print(len(rows), 'files,', sum(row[2] is not None for row in rows), 'opened by Pillow')
