// Makes photographs for benchmarks: crops of the sample pictures as JPEG files.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { random } from './sentences.ts'

/** Crops of the repository's sample photographs in `folder`, each its own, at 1280×960 and quality 85 by default; made where missing. */
export async function photographs(
  folder: string,
  count: number,
  [across, down] = [1280, 960],
): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  const samples = fileURLToPath(new URL('../samples/pictures/', import.meta.url))
  const sources = readdirSync(samples).filter((name) => /\.jpe?g$/.test(name))
  const next = random(7)
  const files: string[] = []
  for (let i = 0; i < count; i++) {
    const file = join(folder, `${String(i).padStart(3, '0')}.jpg`)
    files.push(file)
    const [left, top, share] = [next(), next(), 0.6 + 0.4 * next()]
    if (existsSync(file)) continue
    const image = sharp(join(samples, sources[i % sources.length]!))
    const { width, height } = await image.metadata()
    const region = { width: Math.floor(width * share), height: Math.floor(height * share) }
    await image
      .extract({
        ...region,
        left: Math.floor(left * (width - region.width)),
        top: Math.floor(top * (height - region.height)),
      })
      .resize(across, down, { fit: 'fill', kernel: 'lanczos3' })
      .jpeg({ quality: 85 })
      .toFile(file)
  }
  return files
}
