// Some layers of the shading network, with their weights as constants: app/render/backends/fragment.py fills in the rest.
DECLARATIONS

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    vec4 x;
BODY
}
