// Draws points by WebGL2: one buffer of places to come from, one to go to, one of colours.

/** Setting of one frame. */
export interface PointsFrame {
  /** Clip coordinates of a point are its place × `scale` + `offset`. */
  readonly scale: readonly [x: number, y: number]
  readonly offset: readonly [x: number, y: number]
  /** Way from the places before to those now, from 0 to 1. */
  readonly way: number
  /** Diameter in pixels of the canvas. */
  readonly size: number
  /** Opacity of the points, where none is lit. */
  readonly opacity: number
  readonly background: readonly [red: number, green: number, blue: number]
}

const VERTEX = `#version 300 es
in vec2 before;
in vec2 after;
in vec3 color;
uniform vec2 scale;
uniform vec2 offset;
uniform float way;
uniform float size;
flat out vec3 ink;
void main() {
  gl_Position = vec4(mix(before, after, way) * scale + offset, 0.0, 1.0);
  gl_PointSize = size;
  ink = color;
}`

const FRAGMENT = `#version 300 es
precision highp float;
flat in vec3 ink;
uniform float size;
uniform float opacity;
out vec4 shown;
void main() {
  // So small a point is a square either way.
  float edge = size < 3.5 ? 1.0 : clamp((0.5 - distance(gl_PointCoord, vec2(0.5))) * size + 0.5, 0.0, 1.0);
  shown = vec4(ink, opacity * edge);
}`

/** How much of the others is seen beside points that are lit. */
const FAINT = 0.22

/** Points of one map. Setters take effect with the next `draw`. */
export class Points {
  readonly #gl: WebGL2RenderingContext
  readonly #program: WebGLProgram
  readonly #buffers = new Map<string, WebGLBuffer>()
  readonly #places = new Map<string, WebGLUniformLocation | null>()
  #shown = 0
  #lit = 0

  /** @throws Error where the browser has no WebGL2 */
  constructor(canvas: HTMLCanvasElement) {
    // Without smoothing, depth and transparency a processor that draws without a GPU has a third of the work.
    const gl = canvas.getContext('webgl2', { antialias: false, alpha: false, depth: false, stencil: false })
    if (!gl) throw new Error('This browser does not draw WebGL2.')
    this.#gl = gl
    this.#program = programOf(gl)
    gl.useProgram(this.#program)
    gl.enable(gl.BLEND)
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA)
  }

  /** Places to come from and to go to, x and y in turn. */
  move(before: Float32Array, after: Float32Array): void {
    this.#attribute('before', before, 2, this.#gl.FLOAT)
    this.#attribute('after', after, 2, this.#gl.FLOAT)
  }

  /** Red, green and blue of each point. */
  paint(colors: Uint8Array): void {
    this.#attribute('color', colors, 3, this.#gl.UNSIGNED_BYTE)
  }

  /** Points that are drawn, in this order, and those of them that are lit; with none lit, all are shown alike. */
  show(shown: Uint32Array, lit: Uint32Array): void {
    this.#indices('shown', shown)
    this.#indices('lit', lit)
    this.#shown = shown.length
    this.#lit = lit.length
  }

  draw({ scale, offset, way, size, opacity, background }: PointsFrame, isDimmed: boolean): void {
    const gl = this.#gl
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight)
    gl.clearColor(background[0] / 255, background[1] / 255, background[2] / 255, 1)
    gl.clear(gl.COLOR_BUFFER_BIT)
    gl.uniform2f(this.#uniform('scale'), scale[0], scale[1])
    gl.uniform2f(this.#uniform('offset'), offset[0], offset[1])
    gl.uniform1f(this.#uniform('way'), way)
    this.#pass('shown', this.#shown, size, isDimmed ? opacity * FAINT : opacity)
    if (isDimmed) this.#pass('lit', this.#lit, size + 2, 1)
  }

  #pass(name: string, count: number, size: number, opacity: number): void {
    const gl = this.#gl
    if (count === 0) return
    gl.uniform1f(this.#uniform('size'), size)
    gl.uniform1f(this.#uniform('opacity'), opacity)
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffers.get(name)!)
    gl.drawElements(gl.POINTS, count, gl.UNSIGNED_INT, 0)
  }

  #attribute(name: string, data: Float32Array | Uint8Array, size: number, type: number): void {
    const gl = this.#gl
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer(name))
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW)
    const place = gl.getAttribLocation(this.#program, name)
    gl.enableVertexAttribArray(place)
    gl.vertexAttribPointer(place, size, type, type === gl.UNSIGNED_BYTE, 0, 0)
  }

  #indices(name: string, data: Uint32Array): void {
    const gl = this.#gl
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffer(name))
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, data, gl.STATIC_DRAW)
  }

  #buffer(name: string): WebGLBuffer {
    const known = this.#buffers.get(name)
    if (known) return known
    const made = this.#gl.createBuffer()
    this.#buffers.set(name, made)
    return made
  }

  #uniform(name: string): WebGLUniformLocation | null {
    if (!this.#places.has(name)) this.#places.set(name, this.#gl.getUniformLocation(this.#program, name))
    return this.#places.get(name)!
  }
}

function programOf(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram()
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type)!
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  // A lost context links nothing, and comes back later.
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(`The points cannot be drawn: ${gl.getProgramInfoLog(program)}`)
  return program
}
