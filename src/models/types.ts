// Types of models: cards, preprocessing, options, places, and the model itself.
import type { WriteOptions } from '../graph/files/index.ts'
import type { Graph, Layer, ValueInfo } from '../graph/index.ts'
import type { BuiltModel } from '../nn/index.ts'
import type { Isolation, RunOptions } from '../runtime/index.ts'
import type { InputValues, Tensor } from '../tensor/index.ts'

/**
 * Modality of a model. `text-image` has a tower for texts and one for pictures, and both give vectors of one space; `tensor` takes numbers
 * as they are: sound, spectrograms, bytes, measurements, and whatever else a graph is made for.
 */
export type Modality = InputModality | 'text-image'

/** Modality of an input. */
export type InputModality = TowerModality | 'tensor'

/** Modality of a tower's inputs. */
export type TowerModality = 'text' | 'image'

/**
 * How the values of an inner tensor become one vector. Over tokens (masked) for text, over positions for a feature map:
 * `cls` the first token, `mean`, `max`, `last` the last token that is not padding, `none` all of them (a Matrix an input). For
 * modality `tensor` the same over whatever stands between the batch and the features, and `flatten`: all numbers of the input's row, one
 * after the other.
 */
export type Pooling = 'cls' | 'mean' | 'max' | 'last' | 'none' | 'flatten'

/** How a picture becomes the `pixel_values` of a model. */
export interface ImagePreprocessing {
  /** Height and width that the model sees. */
  readonly size: readonly [height: number, width: number]
  /**
   * `squash`: resize to `size / cropRatio`, whatever the aspect ratio, keep the middle; `center`: resize the shorter side to
   * `size / cropRatio`, keep the middle; `border`: fit inside `size / cropRatio`, pad, keep the middle. As timm has them.
   */
  readonly crop: 'squash' | 'center' | 'border'
  /** Share of the resized picture that is kept. Default 1. */
  readonly cropRatio?: number
  /**
   * Size after resizing, in place of `size / cropRatio`: the shorter side, or height and width. As transformers has it, whose
   * crops begin at offsets rounded down.
   */
  readonly resize?: number | readonly [height: number, width: number]
  /** As Pillow has them. */
  readonly interpolation: 'bilinear' | 'bicubic' | 'nearest' | 'lanczos' | 'box' | 'hamming'
  /** 1 for grey pictures, Pillow's `L` (0.299 red + 0.587 green + 0.114 blue), made of the resized RGB. Default 3. */
  readonly channels?: 1 | 3
  /** Order in which the model takes the three channels. Default `rgb`. */
  readonly order?: 'rgb' | 'bgr'
  /** Per channel (in the model's order, or one of grey), after pixels are scaled to 0…1. */
  readonly mean: readonly [number, number, number] | readonly [number]
  readonly std: readonly [number, number, number] | readonly [number]
  /** Colour under transparent pixels and in the border, 0 to 255. Default white. */
  readonly background?: readonly [number, number, number]
}

export interface TextPreprocessing {
  /** Tokens read, special tokens included. */
  readonly maxLength: number
  /** Texts put before an input, by kind: `query`, `document`, or names of one's own. */
  readonly prompts?: Readonly<Record<string, string>>
  /** Name of the prompt that is used where none is asked for. */
  readonly defaultPrompt?: string
  readonly lowercase?: boolean
  /**
   * How texts are cleaned before they are tokenised, in SigLIP's way: lower case, no ASCII punctuation, single spaces. An underscore is
   * dropped (`siglip`, as in transformers) or a space (`canonicalize`, as in OpenCLIP). Default: not at all.
   */
  readonly clean?: 'siglip' | 'canonicalize'
  /** `false`: a text's own tokens alone, without those that the tokenizer puts around it. Default `true`. */
  readonly specialTokens?: boolean
  /**
   * `true`: as model2vec does, tokens of unknown words are left out, behind the cut to `maxLength` tokens; and before that, texts are cut to
   * `maxLength` times as many characters as the vocabulary's tokens have in the median. Default `false`.
   */
  readonly dropUnknown?: boolean
  /** Every text is padded to `length` tokens, with the token of this name (default: the tokenizer's for padding). SigLIP needs it. */
  readonly padding?: { readonly length: number; readonly token?: string }
  /** Position of the first token, for graphs that take `position_ids`; padding has the one before it. Default 0, and padding counts on. */
  readonly positions?: number
  /** Rows of the model's table of tokens: a tokenizer with larger ids, or far fewer tokens, is not the model's. */
  readonly vocabulary?: number
}

/** A model's defaults, and where it comes from. */
export interface Card {
  /** The short name that finds it. */
  readonly name: string
  readonly description: string
  readonly modality: Modality
  /** `npm:package/path`, `hf:owner/name@revision`, `file:path`, `https:…` */
  readonly source: string
  /** SPDX identifier, or `unknown`. */
  readonly licence: string
  /** Layer that is the embedding by default; `''` of a foreign graph in which none is found: `notes` says why. */
  readonly tap: string
  /** Layer just below the head. */
  readonly penultimate?: string
  readonly pool: Pooling
  /** L2 normalisation by default. */
  readonly normalize: boolean
  /** Length of a vector with these defaults. */
  readonly dimensions: number
  readonly text?: TextPreprocessing
  readonly image?: ImagePreprocessing
  /** Of modality `tensor`, where the graph does not show it: the axis of a tapped tensor that holds its features, counted from 0 for the batch; -1 for the last. */
  readonly featureAxis?: number
  /**
   * Inputs that may run in one batch. `equal`: texts of as many tokens each, for a graph that takes no mask of padding. `none`: each runs alone, for
   * a graph that is quantised dynamically, whose scales are those of the whole batch. `tried`: any, unless a first batch gives other vectors
   * than its inputs alone: then each runs alone from there on. Default `any`; foreign graphs have `tried`.
   */
  readonly together?: 'any' | 'equal' | 'none' | 'tried'
  /** Of models of two towers: factor of the cosines before softmax or sigmoid. */
  readonly logitScale?: number
  /** Of models of two towers that were trained with a sigmoid (SigLIP): added to the scaled cosines. */
  readonly logitBias?: number
  /**
   * Cosine from which two inputs are near-identical, measured at the value `tap` with the card's pooling and dimensions; see `notes`.
   */
  readonly duplicates?: { readonly threshold: number; readonly tap: string }
  /** Why these defaults: what was measured. */
  readonly notes?: string
}

/** Parts of a card, and of what it says of pictures. */
export type CardOverrides = Partial<Omit<Card, 'image'>> & { readonly image?: Partial<ImagePreprocessing> }

export interface SaveOptions extends WriteOptions {
  /** Include preprocessing: image models then take `pixels`, uint8 [batch, height, width, 3]. Default `false`. */
  readonly preprocess?: boolean
  /** Append a pooling. Default: none, the bare tensor. */
  readonly pool?: Pooling
  /** Append L2 normalisation. Default `false`. */
  readonly normalize?: boolean
  /** Keep the first n numbers (before normalisation). */
  readonly dimensions?: number
}

/** Options of {@link Model.embedding}: the layer, and the steps appended to it so that the graph's one output is the vector. */
export interface EmbeddingOptions {
  /**
   * Layer or place to read, named as for {@link Model.cut}. Several are concatenated after pooling (each L2-normalised first).
   * Default: the card's.
   */
  readonly tap?: string | readonly string[]
  /** Default: the card's. */
  readonly pool?: Pooling
  /** Default: the card's. */
  readonly normalize?: boolean
  /** Keep the first n numbers and renormalise. Default: all. */
  readonly dimensions?: number
  /** For images: take `pixels`, uint8 [batch, height, width, 3], instead of `pixel_values`. Default `true`. */
  readonly preprocess?: boolean
  /** Those of {@link Model.defaults} that are named here are inputs of the graph. */
  readonly inputs?: InputValues
}

/**
 * The two towers of a model of texts and pictures.
 *
 * @example
 * ```ts
 * const { text, image } = (await open('hf:openai/clip-vit-base-patch32')).towers!
 * await image.export('pictures.onnx')
 * ```
 */
export interface Towers {
  /** Output `text_embeds`, which is its `penultimate`. */
  readonly text: Model
  /** Output `image_embeds`, which is its `penultimate`. */
  readonly image: Model
  /**
   * Factor of the cosines before softmax or sigmoid: e to the power of the checkpoint's `logit_scale`. Undefined where the files do not say it: towers
   * in ONNX files of their own.
   */
  readonly logitScale?: number
  /** Added to the scaled cosines before the sigmoid, for models that were trained with one (SigLIP). */
  readonly logitBias?: number
}

/** How a model was opened, as plain data: `open(name, …)` with the same gives it again. */
export interface Opened
  extends Pick<OpenOptions, 'revision' | 'card' | 'strict' | 'architecture' | 'prefix' | 'isolate'> {
  /** Height and width that were asked for. */
  readonly size?: readonly [height: number, width: number]
  /** The name that it was opened by. */
  readonly name: string
  readonly dtype: NonNullable<OpenOptions['dtype']>
  /** Hash of the pixels of the caller's pictures, where those calibrated it. */
  readonly calibration?: string
  /** Of a model of two towers: the one that this is. */
  readonly tower?: TowerModality
  /** `true` where it is no longer what was opened: cut, tapped or fed. */
  readonly changed?: true
}

/** A model that was found and read: its graph, and all that is known about its use. */
export interface Model {
  readonly name: string
  readonly modality: Modality
  readonly card: Card
  readonly graph: Graph
  /** Path of `tokenizer.json`, for text. */
  readonly tokenizer?: string
  /** The folder on this machine that it was read from; undefined for what came from a hub or a URL. */
  readonly folder?: string
  /** Tensors of the checkpoint that the architecture did not ask for. */
  readonly unused: readonly string[]
  /** For architectures that are built here: names of layers that users ask for, such as its stages and its class token. */
  readonly places?: Omit<BuiltModel, 'graph' | 'unused' | 'parameters'>
  /**
   * For modality `text-image`: its towers, each a model of its own with the same fingerprint. The model itself has both in one graph
   * (outputs `text_embeds`, `image_embeds`, and, where their scale is known, `logits_per_image`, the scaled cosines), which `save` and `saveParameters` write; `cut` gives
   * the tower that has the layer, and `embedding` and `export` are the towers'.
   */
  readonly towers?: Towers
  /** Identifies weights and architecture: changes when they do (a hash of what was read). */
  readonly fingerprint: string
  /**
   * Inputs of the file that have a value of their own, which the graph has as initializers. They are fed where they are named, in {@link Model.run} or by an
   * embedder's option `inputs`.
   */
  readonly defaults?: readonly ValueInfo[]
  readonly opened: Opened
  layers(): Layer[]
  /**
   * Runs the graph as it is: its inputs by name, its outputs by name.
   *
   * @example
   * ```ts
   * const { probability } = await model.run({ input: { dtype: 'float32', shape: [1, 512], data }, sr, state })
   * await model.dispose()
   * ```
   *
   * @remarks
   * The first run makes a session, which stays until {@link Model.dispose}. Outputs that are no tensors (sequences, maps) are left out.
   * Numbers are handed on as the graph gives them, NaN and infinities among them, as only the caller knows what they mean; an embedder refuses them.
   *
   * @param outputs names of those to compute. Default: all that are tensors
   * @throws PipiloError `INPUT_INVALID`, `DTYPE_MISMATCH`, `SHAPE_MISMATCH` for feeds that are not what the graph takes; `FORMAT_UNSUPPORTED` for
   *   inputs and outputs that are no tensors; `GRAPH_INVALID`, `OPERATOR_UNSUPPORTED`, `RUNTIME` for what ONNX Runtime cannot run; `DISPOSED`
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs?: readonly string[],
    options?: RunOptions,
  ): Promise<Record<string, Tensor>>
  /** Frees the session of {@link Model.run}, if there is one; later runs fail. Everything else goes on working. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  /**
   * Places that have a name beside those of the layers, and the layers that they stand for:
   *
   * @example
   * ```ts
   * (await open('vit_small_patch16_224')).placeNames()
   * // patch_embeddings → pos_drop/Concat, stages.0 → blocks.0, …, forward_features → norm/LayerNormalization, class_token → …
   * ```
   *
   * @remarks
   * These names can stand wherever a layer's can: `cut`, `tap`, `feed`, an embedder's `tap`, `--tap`. Where a checkpoint has a layer of
   * that name, the name is the layer's. They are written as in PyTorch; the keys of {@link Model.places} (`classToken`) are understood too.
   *
   * - `penultimate`: just below the head, what timm gives with `num_classes=0`; what the card says
   * - `global_pool`: a timm or torchvision model's pooling, wherever its head keeps it; a vision transformer's `penultimate`
   * - `forward_features` (also `features`): as in timm, the unpooled map or all tokens
   * - `stages.0`, `stages.1`, …: a vision model's stages, see `places.stages` for their strides
   * - `class_token`, `patch_tokens`: after the last norm; `patch_embeddings`: all that enters the first block
   * - `token_embeddings`: a text model's words alone; `embeddings`, the same as `hidden_states.0`: with positions, as they enter the
   *   first layer; `hidden_states.1`, …: what each layer gives; `attentions.0`, …: the map of each,
   *   [batch, heads, queries, keys]. As in transformers.
   */
  placeNames(): ReadonlyMap<string, string>
  /**
   * The name of the graph's value that a layer's or place's name stands for.
   *
   * @throws PipiloError `LAYER_UNKNOWN` with the closest names
   */
  resolve(layer: string): string
  /**
   * This model with `layer` as its only output; what nothing needs is gone. Layers are named as {@link Model.layers} does, or by a
   * place (see {@link Model.placeNames}): `penultimate`, `forward_features`, `stages.2`, `class_token`, `hidden_states.3`, …
   */
  cut(layer: string): Model
  /** This model with further outputs, named as for {@link Model.cut}. */
  tap(...layers: string[]): Model
  /**
   * This model with an input in the place of `layer`, for values of one's own; what only that layer needed is gone, inputs as well.
   *
   * @example
   * ```ts
   * model.feed('patch_embeddings')   // input patch_embeddings [batch, 197, 768] instead of pixel_values
   * text.feed('token_embeddings')    // input inputs_embeds [batch, sequence, 384] instead of input_ids
   * ```
   *
   * @remarks
   * Its `graph` is what then runs, or is composed with another (`compose` of `pipilo/graph`). Where positions depend on the ids of
   * words (RoBERTa, MPNet), `input_ids` stays beside `inputs_embeds`.
   *
   * @param input name of the input. Default: the layer's name; `inputs_embeds` for `token_embeddings`
   */
  feed(layer: string, input?: string): Model
  /**
   * The graph whose one output `embedding` is [batch, dimensions] (or [batch, tokens or positions, channels] for `pool: 'none'`).
   * Text graphs take `input_ids`, `attention_mask` (and `token_type_ids` if the model has them), int64 [batch, sequence].
   */
  embedding(options?: EmbeddingOptions): Graph
  /**
   * Writes this graph as one `.onnx` file (temporary name, then renamed), with the card in its metadata; with `externalData: true`
   * its weights go to `<path>.data` beside it, which is needed from 2 GB on and happens then by itself.
   */
  save(path: string, options?: SaveOptions): Promise<void>
  /** Writes {@link Model.embedding} as one `.onnx` file, with card and tokenizer: `open(path)` embeds the same. */
  export(path: string, options?: EmbeddingOptions & WriteOptions): Promise<void>
  /**
   * Writes the parameters as safetensors under the names of the checkpoint's framework, so that PyTorch loads them:
   * `module.load_state_dict(safetensors.torch.load_file(path))`. Dtypes stay as they are.
   */
  saveParameters(path: string): Promise<void>
}

export interface OpenOptions {
  /** Hub revision. Default `main`, or what follows `@` in the name. */
  readonly revision?: string
  /** Use only what is on this machine. Default: `HF_HUB_OFFLINE`. */
  readonly offline?: boolean
  /** Called as files arrive. */
  readonly onProgress?: (event: { file: string; loaded: number; total: number | undefined }) => void
  readonly signal?: AbortSignal
  /**
   * Run the graph in a child process, and let it end there: for files from strangers, as some graphs end the process that ONNX Runtime runs in.
   * That is then an error, `RUNTIME_DIED`; `{ memory: 2e9 }` bounds the child's memory (default: three quarters of the machine's). Default `false`; what
   * an embedder of an opened model does unless it says otherwise.
   */
  readonly isolate?: Isolation
  /**
   * Overrides of the card, for `.onnx` files and folders that say nothing about themselves, or the wrong thing: `{ image: { mean: [0.5, 0.5, 0.5] } }`
   * changes the mean alone.
   */
  readonly card?: CardOverrides
  /**
   * Kind of inputs that the model takes. Of a foreign `.onnx` file, whose inputs may not show it, that is believed; any other model of something else is
   * refused. Default: as its files say.
   */
  readonly modality?: Modality
  /**
   * `false`: parameters that the checkpoint lacks or has in another shape are drawn at random, and its tensors that no part
   * asked for are left aside. Default `true`: an error lists them.
   */
  readonly strict?: boolean
  /** For a checkpoint without a configuration: its architecture, by the name of timm, torchvision (`resnet50`) or DINOv2's hub (`dinov2_vits14_reg`). */
  readonly architecture?: string
  /**
   * For a checkpoint that holds several networks: how the names of the tensors of the one that is meant begin, keys and names joined by
   * points, as in `'teacher.backbone.'` or `'model_state_dict.'`. Default: the only one, or the one that timm takes or the method of training itself
   * evaluates (its averaged weights, MoCo's `encoder_q`, DINO's `teacher`), which the card's notes say; any other choice is refused.
   */
  readonly prefix?: string
  /**
   * Height and width of the pictures that an image model is built for, one number for squares. Default: what its files say. Graphs that are
   * read as they are (ONNX, TensorFlow.js) take another one where their input is of any height and width; models of texts take none.
   */
  readonly size?: number | readonly [height: number, width: number]
  /**
   * `int8`: products with weights in integers, a quarter of the size and about twice as fast where the processor has integer
   * dot products; `fp16`: weights of half the size, computed in float32, and in float16 on a `device` that can. Default `fp32`: weights as they are.
   *
   * The other words choose a file of an ONNX export, as in transformers.js: `q8` is `onnx/model_quantized.onnx`, `q4` `model_q4.onnx`, and so on.
   * A file that is not there is an error; the only one there is found without a word.
   */
  readonly dtype?: 'fp32' | 'fp16' | 'int8' | 'q8' | 'uint8' | 'q4' | 'q4f16' | 'bnb4'
}
