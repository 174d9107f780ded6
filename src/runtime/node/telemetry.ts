// The environment variable that keeps ONNX Runtime's telemetry off.

/**
 * Turns ONNX Runtime's telemetry off, before its library is loaded anywhere in the process; a value that the user gave stays.
 *
 * From version 1.30 on the library otherwise keeps a database and a device id below the home folder and a log in the temporary
 * one, and looks up a host of Microsoft's. It reads the process's own environment, which only the main thread (or a worker made
 * with `env: SHARE_ENV`) can write: another worker thread has a copy, and what is set there the library does not see.
 */
export function withoutTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1'
}
