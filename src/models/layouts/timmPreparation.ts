// How timm prepares pictures for an architecture, where a checkpoint's files do not say it.
import type { ImagePreprocessing } from '../types.ts'
import { timmBorder } from './timm.ts'

/** Means and deviations by the words of the table. */
const statistics: Readonly<Record<string, Pick<ImagePreprocessing, 'mean' | 'std'>>> = {
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  none: { mean: [0, 0, 0], std: [1, 1, 1] },
  clip: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
}

/** Content of timm's table on an architecture. */
export interface TimmPreparation {
  readonly image: ImagePreprocessing
  /** True where weights of other tags want another preparation. */
  readonly varies: boolean
}

/**
 * The preparation that timm gives to an architecture's default weights, to those of a tag (`resnet50.tv_in1k`), or to the published
 * file with a hash in its name.
 *
 * @param hash of the file's name; then only a file that timm knows is found
 * @returns undefined for an architecture that is not timm's
 */
export async function timmPreparation(name: string, hash?: string): Promise<TimmPreparation | undefined> {
  const { timmPreparations } = await import('./timmPreparations.ts')
  const [bare = name] = name.split('.')
  const rows = timmPreparations.map(([settings, names, hashes]) => ({
    settings,
    names: names.split(' '),
    hashes: hashes.split(' ').filter((each) => each !== ''),
  }))
  const row =
    hash === undefined
      ? (rows.find(({ names }) => names.includes(name)) ?? rows.find(({ names }) => names.includes(bare)))
      : rows.find(({ hashes }) => hashes.includes(hash))
  if (!row) return undefined
  const varies = rows.some(({ names }) => names.some((other) => other.startsWith(`${bare}.`)))
  return { image: imageOf(row.settings), varies: varies && name === bare && hash === undefined }
}

/** The preparation that a row of the tables of timm and torchvision says. */
export function imageOf(settings: string): ImagePreprocessing {
  const [size = '', interpolation, cropRatio, words = '', crop = 'center'] = settings.split(' ')
  const [height = 0, width = height] = size.split('x').map(Number)
  const found = statistics[words] ?? spelledOut(words)
  const image = { size: [height, width], crop, cropRatio: Number(cropRatio), interpolation, ...found }
  return timmBorder(image as unknown as ImagePreprocessing)
}

/** Rare ones stand in the table as numbers: `0.43,0.411,0.296/0.213,0.156,0.143`. */
function spelledOut(words: string): Pick<ImagePreprocessing, 'mean' | 'std'> {
  const [mean, std] = words.split('/').map((three) => three.split(',').map(Number))
  return { mean, std } as unknown as Pick<ImagePreprocessing, 'mean' | 'std'>
}
