// Reads two towers from ONNX files of their own, or from one file that holds both.
import { PipiloError } from '../../base/index.ts'
import { Builder, cut, type Graph } from '../../graph/index.ts'
import { type ModelFiles, readJsonObject } from '../files.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { bothEmbeds, embeds, joinTowers } from '../model/joinTowers.ts'
import type { TowerModality } from '../types.ts'
import type { FoundModel } from './foundModel.ts'
import { readLicence } from './licence.ts'
import { plainName } from './onnxInputs.ts'
import { lastSize, shapeOf } from './onnxOutputs.ts'
import { findPreprocessor } from './preprocessor.ts'
import { clipPictures, siglipPictures } from './towerUse.ts'

/**
 * Reads both towers. The scale of their cosines is not in such files.
 *
 * @param readOne reads the tower of a modality as a model of its own
 * @throws PipiloError `MODEL_INVALID` where a tower does not end in a vector of the common space
 */
export async function readOnnxTowers(
  files: ModelFiles,
  readOne: (modality: TowerModality) => Promise<FoundModel>,
): Promise<FoundModel> {
  const config = (await files.has('config.json')) ? await readJsonObject(files, 'config.json') : {}
  const family = /^(clip|siglip)/.exec(String(config['model_type']))?.[1]
  const [texts, pictures] = [await readOne('text'), await readOne('image')]
  const towers = { text: tower(texts, 'text', files, family), image: tower(pictures, 'image', files, family) }
  const ends = [lastSize(towers.text.outputs[0]), lastSize(towers.image.outputs[0])]
  const widths = [...new Set(ends.filter((size) => size !== undefined))]
  const usual = family === 'siglip' ? siglipPictures : clipPictures
  const isStated = family === undefined || (await findPreprocessor(files, '')) !== undefined
  const seen =
    pictures.card.image &&
    (isStated ? pictures.card.image : { ...usual(224), size: pictures.card.image.size })
  const stated = [texts.card.together, pictures.card.together]
  const together = (['none', 'equal', 'tried'] as const).find((each) => stated.includes(each))
  return {
    graph: joinTowers(towers.text, towers.image, new Map()),
    towers: {
      text: { graph: towers.text, places: undefined },
      image: { graph: towers.image, places: undefined },
    },
    unused: [],
    tokenizer: texts.tokenizer,
    fingerprint: await fingerprint([texts.fingerprint, pictures.fingerprint], files, []),
    card: {
      description: `ONNX towers of ${files.label}`,
      modality: 'text-image',
      licence: await readLicence(files),
      tap: bothEmbeds,
      pool: 'mean',
      normalize: true,
      // Of towers that differ each is good for itself, and embedding with both is what fails.
      dimensions: widths.length === 1 ? widths[0]! : 0,
      text: texts.card.text!,
      ...(seen && { image: seen }),
      ...(together && { together }),
      notes: `Each tower ends in the file's own vector. ${pictures.card.notes ?? ''}`.trim(),
    },
  }
}

/** A tower with its end under the name that it has everywhere. */
function tower(
  { graph, card }: FoundModel,
  modality: TowerModality,
  { label }: ModelFiles,
  family?: string,
): Graph {
  const { tap } = card
  const end = embeds[modality]
  // CLIP has a projection behind what it pools, SigLIP has not.
  const ends = family === 'siglip' ? [end, 'pooler_output'] : [end]
  const own = cut(graph, tap)
  if (!ends.includes(plainName(tap)) || (shapeOf(own.outputs[0])?.length ?? 2) !== 2) {
    const given = graph.outputs.map(({ name }) => name).join(', ')
    throw new PipiloError(
      'MODEL_INVALID',
      `The tower for ${modality}s of ${label} gives ${given}, and not ${end}.`,
      {
        input: label,
        hint: 'Open one tower by the name of its file, or export the model with its projections.',
      },
    )
  }
  if (tap === end) return own
  const builder = Builder.from(own, { outputs: 'clear' })
  builder.output(end, builder.value(tap))
  return builder.build()
}
