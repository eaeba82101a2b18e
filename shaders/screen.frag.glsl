// The picture, stretched over a part of the window.
uniform sampler2D u_picture;
uniform vec4 u_box;  // left, bottom, width, height: pixels

out vec4 o_color;

void main() {
    o_color = vec4(texture(u_picture, (gl_FragCoord.xy - u_box.xy) / u_box.zw).rgb, 1.0);
}
