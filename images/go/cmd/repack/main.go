// Command repack turns what `docker save` wrote into an OCI layout with
// compressed layers, under the names the images shall have:
//
//	docker save A B | repack A=NAME[,NAME…] B=NAME… >layout.tar
//
// Equal layers are stored once, and the same input gives the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// savedImage is an entry of the manifest.json that `docker save` writes.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "repack:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	names := map[string][]string{}
	for _, arg := range args {
		tag, list, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not TAG=NAME[,NAME…]", arg)
		}
		names[tag] = strings.Split(list, ",")
	}
	files, err := readAll(in)
	if err != nil {
		return err
	}
	var images []savedImage
	if err := json.Unmarshal(files["manifest.json"], &images); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	layout := &layout{tar: tar.NewWriter(out), seen: map[string]descriptor{}}
	all := index{SchemaVersion: 2, MediaType: indexType}
	for _, image := range images {
		described, err := layout.image(files, image)
		if err != nil {
			return err
		}
		for _, tag := range image.RepoTags {
			for _, name := range names[tag] {
				described.Annotations = map[string]string{"io.containerd.image.name": name}
				all.Manifests = append(all.Manifests, described)
			}
			delete(names, tag)
		}
	}
	for tag := range names {
		return fmt.Errorf("%s is not among the saved images", tag)
	}
	if err := layout.json("index.json", all); err != nil {
		return err
	}
	if err := layout.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	return layout.tar.Close()
}

func readAll(in io.Reader) (map[string][]byte, error) {
	files := map[string][]byte{}
	reader := tar.NewReader(in)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		var content bytes.Buffer
		if _, err := io.Copy(&content, reader); err != nil {
			return nil, err
		}
		files[header.Name] = content.Bytes()
	}
}

type layout struct {
	tar  *tar.Writer
	seen map[string]descriptor // by the digest of the uncompressed content
}

func (l *layout) image(files map[string][]byte, image savedImage) (descriptor, error) {
	config, err := l.blob(configType, files[image.Config], false)
	if err != nil {
		return descriptor{}, err
	}
	whole := manifest{SchemaVersion: 2, MediaType: manifestType, Config: config}
	for _, name := range image.Layers {
		content, ok := files[name]
		if !ok {
			return descriptor{}, fmt.Errorf("layer %s is missing", name)
		}
		layer, err := l.blob(layerType, content, true)
		if err != nil {
			return descriptor{}, err
		}
		whole.Layers = append(whole.Layers, layer)
	}
	body, err := json.Marshal(whole)
	if err != nil {
		return descriptor{}, err
	}
	described, err := l.blob(manifestType, body, false)
	described.Platform = map[string]string{"os": "linux", "architecture": runtime.GOARCH}
	return described, err
}

func (l *layout) blob(mediaType string, content []byte, compress bool) (descriptor, error) {
	plain := fmt.Sprintf("%x", sha256.Sum256(content))
	if known, ok := l.seen[plain]; ok {
		return known, nil
	}
	if compress {
		var compressed bytes.Buffer
		writer := gzip.NewWriter(&compressed)
		if _, err := writer.Write(content); err != nil {
			return descriptor{}, err
		}
		if err := writer.Close(); err != nil {
			return descriptor{}, err
		}
		content = compressed.Bytes()
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	described := descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: len(content)}
	l.seen[plain] = described
	return described, l.file("blobs/sha256/"+sum, content)
}

func (l *layout) json(name string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return l.file(name, body)
}

func (l *layout) file(name string, content []byte) error {
	header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}
	if err := l.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := l.tar.Write(content)
	return err
}
